import { type HeldIntent, viewPages } from '@cordon/protocol';
import type { Cordon, Question, Signing } from '@cordon/sdk';
import type { Arguments, Command } from '../command.ts';
import { confirmed } from '../confirm.ts';
import { exitStatus, usageError } from '../exit.ts';
import { jsonLine } from '../json.ts';
import { parseCount } from '../quantity.ts';
import type { Context, Surroundings } from '../surroundings.ts';
import { painter, table, visible } from '../text.ts';
import { endorseOptions, signTerms, termsOf, termsText } from './endorse.ts';
import { signerOf } from './people.ts';

export const approvals: Command = {
  name: 'approvals',
  group: 'Review',
  usage: 'cordon approvals [ID] [--watch] [--all]',
  summary: 'what waits for a person; with ID all that it is about',
  words: [0, 1],
  options: {
    watch: { short: 'w', about: 'go on, one line as each comes and as it is answered' },
    all: { about: 'also what was answered, expired or is void' },
    page: { value: 'N', about: 'of what is longer than one page (64 KiB)' },
    json: { about: 'one JSON object each' },
  },
  details: ['Examples:', '  cordon approvals --watch', '  cordon approvals 7k2m9x0q', '  cordon approve 7k2m9x0q'],
  run: async ({ at, cordon }, args) => {
    const client = await cordon();
    const reference = args.words[0];
    if (reference !== undefined) {
      const question = await questionOf(client, reference);
      at.stdout.write(args.flag('json') ? jsonLine(question) : shown(question, pageOf(args)));
      return exitStatus.ok;
    }
    if (args.flag('watch')) {
      await watch(client, at, args.flag('json'));
      return exitStatus.ok;
    }
    const state = args.flag('all') ? {} : { state: ['open', 'approved'] as const };
    const waiting: HeldIntent[] = [];
    for await (const hold of client.approvals.list(state)) waiting.push(hold);
    if (args.flag('json')) for (const hold of waiting) at.stdout.write(jsonLine(hold));
    else at.stdout.write(listed(waiting, at));
    return exitStatus.ok;
  },
};

export const approve: Command = {
  name: 'approve',
  group: 'Review',
  usage: 'cordon approve ID [--uses N] [--endorse [WHERE] --for 1h] [--key FILE] [--yes]',
  summary: 'show all that ID is about, ask, and sign a yes to exactly that',
  words: [1, 1],
  options: {
    uses: { value: 'N', about: 'the very same bytes may go out up to N times (1 to 20); of --endorse: 1 to 1000 (20)' },
    ...endorseOptions,
    key: { value: 'FILE', about: 'your private key, if you do not own this daemon' },
    pages: { value: 'N', about: 'of a long one: how many pages there were, after you have read each' },
    yes: { short: 'y', about: 'do not ask (asked is on a terminal only)' },
    json: { about: 'as JSON' },
  },
  details: [
    'What is signed is this request to the byte, under the policy in force, once. Policy judges it again when it is sent.',
    'Example:',
    '  cordon approve 7k2m9x0q',
    '  cordon approve 7k2m9x0q --endorse https://api.github.com/repos/acme/** --for 1h --uses 20 --bytes 1MiB',
  ],
  run: async (context, args) => {
    const { at } = context;
    const { client, question } = await asked(context, args);
    const pages = viewPages(question.view, question.earlier);
    if (!args.flag('json')) at.stdout.write(shown(question, null));
    checkRead(args, pages.length);
    const terms = await termsOf(client, args, question);
    if (terms !== null && !args.flag('json')) at.stdout.write(termsText(terms));
    const text = args.text('uses');
    const uses = text === undefined || terms !== null ? 1 : parseCount('uses', text);
    if (!args.flag('yes') && !(await confirmed(at, 'Sign a yes to exactly this?'))) {
      at.stderr.write('nothing was signed; it waits on\n');
      return exitStatus.ok;
    }
    const signing = await signingOf(client, at, args);
    if (terms !== null) at.stderr.write(`${await signTerms(client, terms, signing)}\n`);
    const given = { ...signing, verdict: 'approve', uses } as const;
    // Whoever joins an endorsement may come after somebody's plain yes.
    const over = terms !== null && question.hold.state === 'approved';
    const held = over ? question.hold : await client.approvals.answer(question, given);
    at.stdout.write(args.flag('json') ? jsonLine(held) : `${approvedText(held)}\n`);
    return exitStatus.ok;
  },
};

export const deny: Command = {
  name: 'deny',
  group: 'Review',
  usage: 'cordon deny ID [--reason TEXT] [--key FILE]',
  summary: 'sign a no; the agent reads the reason',
  words: [1, 1],
  options: {
    reason: { value: 'TEXT', about: 'why, for the agent' },
    key: { value: 'FILE', about: 'your private key, if you do not own this daemon' },
    json: { about: 'as JSON' },
  },
  details: [
    'The same request is refused until the question would have expired.',
    'Example:',
    '  cordon deny 7k2m9x0q --reason "use the staging account"',
  ],
  run: async (context, args) => {
    const { at } = context;
    const { client, question } = await asked(context, args);
    const reason = args.text('reason') ?? '';
    const signing = await signingOf(client, at, args);
    const held = await client.approvals.answer(question, { ...signing, verdict: 'deny', reason });
    at.stdout.write(args.flag('json') ? jsonLine(held) : `denied ${held.id}: ${visible(held.summary)}\n`);
    return exitStatus.ok;
  },
};

async function asked({ cordon }: Context, args: Arguments): Promise<{ client: Cordon; question: Question }> {
  const client = await cordon();
  return { client, question: await questionOf(client, args.words[0] ?? '') };
}

async function signingOf(client: Cordon, at: Surroundings, args: Arguments): Promise<Signing> {
  const signer = await signerOf(at, client, args.text('key'));
  const people = await client.people.list();
  const known = people.find(({ keys }) => keys.some((key) => key.id === signer.keyid));
  if (known === undefined) {
    throw usageError('nobody here is known by this key', 'cordon people add NAME --public KEY', 'cordon people list');
  }
  return { signer, person: known.person };
}

/** The end of an id is enough, as for sessions. */
async function questionOf(client: Cordon, reference: string): Promise<Question> {
  const word = reference.startsWith('hld_') ? reference : reference.toLowerCase();
  if (word.length === 30 && word.startsWith('hld_')) return await client.approvals.question(word);
  const found: string[] = [];
  for await (const { id } of client.approvals.list({ state: ['open', 'approved'] }))
    if (id.endsWith(word)) found.push(id);
  const [id, ...more] = found;
  if (word.length < 4 || id === undefined || more.length > 0) {
    throw usageError(
      more.length > 0 ? `${reference} is the end of several ids` : `nothing that waits ends with ${reference}`,
      'cordon approvals',
    );
  }
  return await client.approvals.question(id);
}

function shown(question: Question, page: number | null): string {
  const pages = viewPages(question.view, question.earlier);
  const head = `${question.hold.id} (${question.hold.state})\n`;
  if (pages.length === 1) return `${head}${pages[0]}`;
  if (page === null)
    return `${head}${pages.length} pages: cordon approvals ${question.hold.id} --page 1 to ${pages.length}\n`;
  const text = pages[page - 1];
  if (text === undefined) throw usageError(`--page: it has ${pages.length} pages`);
  return `${head}page ${page} of ${pages.length}\n${text}`;
}

function pageOf(args: Arguments): number | null {
  const text = args.text('page');
  return text === undefined ? null : parseCount('page', text);
}

/** What was not opened whole is not approved. */
function checkRead(args: Arguments, pages: number): void {
  if (pages === 1) return;
  const said = args.text('pages');
  if (said !== undefined && parseCount('pages', said) === pages) return;
  throw usageError(
    `it has ${pages} pages: read each, then say so`,
    `cordon approvals ID --page 1 … ${pages}`,
    `cordon approve ID --pages ${pages}`,
  );
}

function approvedText({ id, state, rung, groups, answers }: HeldIntent): string {
  if (state === 'approved') return `approved ${id}: the agent may send exactly this`;
  const yes = answers.filter(({ verdict }) => verdict === 'approve').length;
  return `your yes to ${id} counts; ${yes} of ${rung.quorum} people${groups.length === 0 ? '' : ` of ${groups.join(' or ')}`} have agreed`;
}

function listed(holds: readonly HeldIntent[], at: Surroundings): string {
  if (holds.length === 0) return 'nothing waits for a person\n';
  const rows = holds.map((hold) => [
    hold.id.slice(-8),
    hold.state,
    hold.agent,
    answersOf(hold),
    untilOf(hold),
    `${hold.summary}${flagsOf(hold)}`,
  ]);
  const head = ['ID', 'STATE', 'AGENT', 'YES', 'UNTIL', 'WHAT'];
  return `${table(head, rows, painter(at.colours))}\n→ cordon approve ID   shows all of it first\n`;
}

function answersOf({ answers, rung, groups }: HeldIntent): string {
  const of = groups.length === 0 ? '' : ` of ${groups.join('|')}`;
  return `${answers.filter(({ verdict }) => verdict === 'approve').length}/${rung.quorum}${of}`;
}

function flagsOf({ answers }: HeldIntent): string {
  const flags = new Set(answers.flatMap((answer) => answer.flags));
  return flags.size === 0 ? '' : `  [answered ${[...flags].map((each) => flagWords[each]).join(', ')}]`;
}

const flagWords = { quick: 'within 2 s', many: 'among over 20 an hour' } as const;

function untilOf({ expires }: HeldIntent): string {
  return expires.slice(11, 19);
}

async function watch(client: Cordon, at: Surroundings, json: boolean): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const paint = painter(at.colours);
  try {
    for await (const hold of client.approvals.follow({ signal: stop.signal })) {
      const why = hold.reason === '' ? '' : ` (${visible(hold.reason)})`;
      const line = `${paint('dim', hold.at)} ${hold.state.padEnd(8)} ${answersOf(hold)} ${hold.agent} ${visible(hold.summary)}${why}${flagsOf(hold)}`;
      const next = hold.state === 'open' ? `\n    → cordon approve ${hold.id.slice(-8)}` : '';
      at.stdout.write(json ? jsonLine(hold) : `${line}${next}\n`);
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
