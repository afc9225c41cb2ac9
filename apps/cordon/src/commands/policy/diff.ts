import type { PolicyDiff } from '@cordon/protocol';
import type { Command } from '../../command.ts';
import { exitStatus } from '../../exit.ts';
import { jsonLine } from '../../json.ts';
import { sinceOf } from '../../quantity.ts';
import { painter, visible } from '../../text.ts';
import { referenceOf } from './sources.ts';
import { trafficText } from './traffic-text.ts';
import { working } from './working.ts';

export const diff: Command = {
  name: 'policy diff',
  group: 'Policy',
  usage: 'cordon policy diff [A] B',
  summary: 'what B newly allows, holds and denies; A is what is in force',
  words: [1, 2],
  options: {
    since: { value: 'TIME', about: 'also over the requests recorded in the last 90s, 10m, 8h' },
    json: { about: 'as JSON' },
  },
  details: [
    'A and B: a folder of policy files, a bundle, the number of a generation, or current.',
    'Every combination of facts that the policies can tell apart is looked at, at every place that they name.',
    'What becomes possible that was not is called widening. Puts nothing in force.',
    'Example:',
    '  cordon policy diff ./my-policy --since 24h',
  ],
  run: async ({ at, cordon }, args) => {
    const [first = '', second] = args.words;
    const before = referenceOf(at.cwd, second === undefined ? 'current' : first);
    const after = referenceOf(at.cwd, second ?? first);
    const from = sinceOf(args, Date.now());
    const client = await cordon();
    const answer = await working(at, 'comparing', client.policies.diff(before, after, from));
    at.stdout.write(args.flag('json') ? jsonLine(answer) : diffText(answer, painter(at.colours)));
    return exitStatus.ok;
  },
};

export const replay: Command = {
  name: 'policy replay',
  group: 'Policy',
  usage: 'cordon policy replay POLICY [--since TIME]',
  summary: 'decide recorded requests again by another policy; changes nothing',
  words: [1, 1],
  options: {
    since: { value: 'TIME', about: 'only what was recorded in the last 90s, 10m, 8h' },
    json: { about: 'as JSON' },
  },
  details: [
    'POLICY: a folder of policy files, a bundle, or the number of a generation.',
    'Each request is judged with the facts as they were, under the grants of its own session.',
    'Example:',
    '  cordon policy replay ./my-policy --since 24h',
  ],
  run: async ({ at, cordon }, args) => {
    const from = sinceOf(args, Date.now());
    const candidate = referenceOf(at.cwd, args.words[0] ?? '');
    const report = await working(at, 'judging', (await cordon()).policies.replay(candidate, from));
    at.stdout.write(args.flag('json') ? jsonLine(report) : trafficText(report, painter(at.colours)));
    return exitStatus.ok;
  },
};

function diffText({ widening, space, traffic }: PolicyDiff, paint: ReturnType<typeof painter>): string {
  const { changes, terms, complete, scenes } = space;
  const lines: string[] = [];
  for (const { from, to, widening: wider, example, policies, before, places } of changes) {
    lines.push(`${paint(wider ? 'yellow' : 'green', `${from} → ${to}`)}${wider ? '  widening' : ''}`);
    const more = places > 1 ? `  (and ${places - 1} more like it)` : '';
    lines.push(
      `  ${visible(example)}${more}`,
      `  was: ${before.map(visible).join(', ')}`,
      `  now: ${policies.map(visible).join(', ')}`,
    );
  }
  for (const term of terms) lines.push(`${paint('yellow', 'terms')}  widening`, `  ${visible(term)}`);
  if (lines.length === 0) lines.push(`no difference in the finite space, at ${scenes} places`);
  if (!complete) lines.push(paint('red', 'not complete: the policies compare too many facts to look everywhere'));
  lines.push(widening ? 'it widens what is allowed' : 'it widens nothing');
  return `${lines.join('\n')}\n${traffic === null ? '' : trafficText(traffic, paint)}`;
}
