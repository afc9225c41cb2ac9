import { parseArgs } from 'node:util';
import { isCordonError } from '@cordon/protocol';
import { AttackError } from './error.ts';
import { Field } from './field.ts';
import { type Group, groups } from './groups.ts';
import { type Counts, jsonReport, type Report, textReport } from './report.ts';
import { type Result, tryAll } from './suite.ts';

const exitStatus = { held: 0, escaped: 1, usage: 64, unclear: 69, interrupted: 130 } as const;

const parentLookMs = 500;

/**
 * Ends what runs when a person or the system asks for it, or when the command line that started it is gone. A second
 * time changes nothing, for the cleaning is under way.
 */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) controller.abort(new AttackError('interrupted', 'its parent is gone'));
  }, parentLookMs).unref();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) process.stderr.write('\nstopping, and taking everything down\n');
      controller.abort(new AttackError('interrupted', 'interrupted'));
    });
  }
  return controller.signal;
}

/** All, or those of a group, or with a word in their name. */
function chosenGroups(only: readonly string[]): readonly Group[] {
  if (only.length === 0) return groups;
  const means = (word: string, group: Group, name: string): boolean => group.name === word || name.includes(word);
  const unknown = only.find(
    (word) => !groups.some((group) => group.cases.some(({ name }) => means(word, group, name))),
  );
  if (unknown !== undefined)
    throw new AttackError(
      'usage',
      `--only: ${unknown} is none of ${groups.map((group) => group.name).join(', ')}, and stands in no name`,
    );
  return groups.map((group) => ({
    ...group,
    cases: group.cases.filter(({ name }) => only.some((word) => means(word, group, name))),
  }));
}

async function attack(chosen: readonly Group[], planted: boolean, report: Report): Promise<number> {
  const signal = interruption();
  const counts = { tried: 0, out: 0, unclear: 0, notTried: 0 };
  report.begin(chosen.reduce((sum, group) => sum + group.cases.length, 0));
  const results = tryAll(chosen, () => Field.open({ signal, planted }), signal);
  for (;;) {
    const step = await results.next();
    if (step.done === true) {
      report.end(counts, step.value);
      if (counts.out > 0 || step.value.left.length > 0) return exitStatus.escaped;
      return counts.unclear > 0 ? exitStatus.unclear : exitStatus.held;
    }
    count(counts, step.value);
    report.result(step.value);
  }
}

function count(counts: { -readonly [K in keyof Counts]: Counts[K] }, { outcome }: Result): void {
  if (outcome !== 'not-tried') counts.tried++;
  if (outcome === 'out') counts.out++;
  if (outcome === 'unclear') counts.unclear++;
  if (outcome === 'not-tried') counts.notTried++;
}

try {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
      planted: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const report = values.json ? jsonReport(process.stdout) : textReport(process.stdout, values);
  process.exitCode = await attack(chosenGroups(values.only), values.planted, report);
} catch (error) {
  const code = isCordonError(error) ? error.code : 'unavailable';
  if (code !== 'interrupted') {
    process.stderr.write(`cordon doctor --attack: ${error instanceof Error ? error.message : String(error)}\n`);
    if (isCordonError(error)) for (const step of error.nextSteps) process.stderr.write(`  → ${step}\n`);
  }
  process.exitCode =
    code === 'interrupted' ? exitStatus.interrupted : code === 'usage' ? exitStatus.usage : exitStatus.unclear;
}
