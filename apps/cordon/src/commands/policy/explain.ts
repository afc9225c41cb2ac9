import type { Explanation } from '@cordon/protocol';
import type { Command } from '../../command.ts';
import { exitStatus } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { painter, visible } from '../../text.ts';

export const explain: Command = {
  name: 'policy explain',
  group: 'Policy',
  usage: 'cordon policy explain ID',
  summary: 'why one decision came out as it did, and what would change it',
  words: [1, 1],
  options: { json: { about: 'as JSON, with intent and facts' } },
  details: ['ID is the att_… that a refusal and cordon logs show.'],
  run: async ({ at, cordon }, args) => {
    const explanation = await (await cordon()).explain(args.words[0] ?? '');
    if (args.flag('json')) {
      at.stdout.write(jsonLine(explanation));
      return exitStatus.ok;
    }
    const { decision, layers, policies } = explanation;
    const paint = painter(at.colours);
    const out = [
      `${decision.outcome === 'allow' ? paint('green', decision.outcome) : paint('red', decision.outcome)} ${visible(decision.summary)}  (${decision.code})`,
      `${paint('dim', 'when')}     ${decision.at}, session ${decision.session}, generation ${decision.generation}, revision ${decision.revision}`,
      `${paint('dim', 'intent')}   ${decision.intent}`,
    ];
    for (const { layer, permits, forbids } of layers) {
      const said = [...permits.map((id) => `permitted by ${id}`), ...forbids.map((id) => `forbidden by ${id}`)];
      out.push(
        `${paint('dim', 'layer')}    ${layer}: ${said.length === 0 ? paint('yellow', 'no policy permits it') : said.join(', ')}`,
      );
    }
    for (const [id, text] of Object.entries(policies))
      out.push('', paint('dim', `// ${id}`), text.trim().split('\n').map(visible).join('\n'));
    out.push(...factLines(explanation, paint), ...endorsementLines(explanation, paint));
    out.push(...approvalLines(explanation, paint));
    for (const step of decision.next) out.push(`next     ${visible(step)}`);
    at.stdout.write(`${out.join('\n')}\n`);
    return exitStatus.ok;
  },
};

/** The facts that were looked at, in one line a group, and what would have to be another for an allow. */
function factLines({ facts, nearest, decision }: Explanation, paint: ReturnType<typeof painter>): string[] {
  if (facts === null) return [];
  const flat = Object.entries(facts).filter(([name, value]) => typeof value !== 'object' && !ownMembers.has(name));
  const flow = Object.entries((facts['flow'] ?? {}) as Readonly<Record<string, unknown>>);
  const words = (pairs: readonly (readonly [string, unknown])[]): string =>
    pairs.map(([name, value]) => `${name} ${visible(String(value))}`).join(', ');
  const lines = ['', `${paint('dim', 'facts')}    ${words(flat)}`, `${paint('dim', 'flow')}     ${words(flow)}`];
  for (const changes of nearest) {
    const said = changes.map(({ fact, from, to }) => `${fact} were ${to} (is ${from})`).join(' and ');
    lines.push(`${paint('dim', 'nearest')}  it would be allowed if ${said}`);
  }
  if (nearest.length === 0 && decision.outcome !== 'allow') {
    lines.push(`${paint('dim', 'nearest')}  no one or two other facts would allow it`);
  }
  return lines;
}

/** Of the record, and no policy reads them. */
const ownMembers = new Set(['v', 'attempt', 'intent', 'at', 'freshUntil']);

/** Nobody agreed to this request: somebody had named who got it. */
function endorsementLines({ facts }: Explanation, paint: ReturnType<typeof painter>): string[] {
  const labels = facts?.['labels'] as { readonly endorsed?: { id: string; destInteg: number } } | undefined;
  const endorsed = labels?.endorsed;
  if (endorsed === undefined) return [];
  const without = `without it destInteg is ${endorsed.destInteg}, and a person is asked`;
  return [`${paint('dim', 'endorsed')} by ${visible(endorsed.id)}: ${without}; cordon endorsements list --all`];
}

/** Whom these very bytes were shown, and what they said. */
function approvalLines({ approvals }: Explanation, paint: ReturnType<typeof painter>): string[] {
  return approvals.flatMap(({ hold, state, rung, at, answers }) => [
    `${paint('dim', 'approval')} ${hold} ${state}: asked ${at} for ${rung.quorum} ${rung.quorum === 1 ? 'person' : 'people'}`,
    ...answers.map(({ person, verdict, at: said }) => `         ${visible(person)}: ${verdict}, ${said}`),
  ]);
}
