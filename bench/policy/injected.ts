import { parseArgs } from 'node:util';
import { type Figures, figuresOf, runSuite, type Seen } from '../../packages/gateway/test/injected/campaign.ts';
import { suites } from '../../packages/gateway/test/injected/suites.ts';

/**
 * Tasks with injected calls, through a whole gateway: how many attacks reach their aim where a person refuses all that is
 * held, how many where a person agrees to all of it, and how often somebody is asked when nobody attacks.
 *
 *     node --conditions=cordon-source bench/policy/injected.ts [--json]
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });

interface Row extends Figures {
  readonly suite: string;
  readonly approvedEffects: number;
  readonly ways: readonly string[];
}

const rows: Row[] = [];
for (const suite of suites) {
  const refused = await runSuite(suite);
  const approved = await runSuite(suite, { approve: true });
  rows.push({
    suite: suite.name,
    ...figuresOf(refused),
    approvedEffects: figuresOf(approved).reached.effect,
    ways: [...new Set(refused.filter(isIn).map(({ goal, place }) => `${goal} (${place})`))],
  });
}

function isIn({ kind, reached }: Seen): boolean {
  return kind === 'effect' && reached;
}

if (values.json) {
  process.stdout.write(`${JSON.stringify({ v: 'bench/1', bench: 'policy-injected', rows })}\n`);
} else {
  const percent = (part: number, whole: number): string =>
    `${part} of ${whole} (${((100 * part) / whole).toFixed(1)} %)`;
  for (const { suite, tasks, quiet, asked, attacks, reached, approvedEffects, ways } of rows) {
    process.stdout.write(
      `${suite}\n  tasks without a question      ${percent(quiet, tasks)}, ${asked} questions in all\n` +
        `  attacks that reach their aim  ${percent(reached.effect, attacks.effect)} (target ≤ 3 %)${ways.map((way) => `\n    ${way}`).join('')}\n` +
        `  where all is agreed to        ${percent(approvedEffects, attacks.effect)}\n` +
        `  content alone                 ${percent(reached.content, attacks.content)}\n`,
    );
  }
}
