// Runs every check and test: `./check` all of them, `./check NAME…` some, `./check --list` says which there are.
// Suites of one phase run side by side; a phase starts when the one before it is green. A suite that exceeds its
// budget has failed: the whole must stay under 25 minutes on two cores.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';

interface Suite {
  readonly name: string;
  readonly about: string;
  readonly phase: 1 | 2 | 3 | 4;
  readonly budgetS: number;
  readonly command: readonly string[];
  /** Vitest suites report how many tests ran; a run without any has failed. */
  readonly tests?: boolean;
}

function reportOf(name: string): string {
  return path.resolve(`.cache/check/${name}.json`);
}

const vitest = (name: string, ...args: string[]): Pick<Suite, 'command' | 'tests'> => ({
  command: ['vitest', 'run', '--reporter=dot', '--reporter=json', `--outputFile.json=${reportOf(name)}`, ...args],
  tests: true,
});

const suites: readonly Suite[] = [
  { name: 'format', about: 'format and syntax (Biome)', phase: 1, budgetS: 60, command: ['biome', 'check', '.'] },
  {
    name: 'types',
    about: 'types of the tests (the build has checked the rest)',
    phase: 1,
    budgetS: 120,
    command: ['tsc', '-p', 'tsconfig.tests.json'],
  },
  { name: 'lint', about: 'type-aware rules (typescript-eslint)', phase: 1, budgetS: 180, command: ['eslint', '.'] },
  {
    name: 'boundaries',
    about: 'package direction and authority',
    phase: 1,
    budgetS: 120,
    command: ['node', 'tools/boundaries.ts'],
  },
  {
    name: 'unused',
    about: 'unused files, exports and dependencies (knip)',
    phase: 1,
    budgetS: 120,
    command: ['knip', '--no-progress'],
  },
  {
    name: 'mutation',
    about: 'eight checks taken out, one at a time: a test must notice each (all: node tools/mutation.ts)',
    phase: 1,
    budgetS: 180,
    command: ['node', 'tools/mutation.ts', '--short'],
  },
  { name: 'unit', about: 'packages, apps and tools', phase: 2, budgetS: 600, ...vitest('unit') },
  {
    name: 'fuzz',
    about: 'every parser of what others send, on what was found before and some new inputs',
    phase: 2,
    // It ends by itself after 40 s and what was begun; the rest is for a machine that is busy with something else.
    budgetS: 180,
    command: ['node', 'fuzz/run.ts', '--short'],
  },
  {
    name: 'whole',
    about: 'the whole from outside: every way out, kill -9, running, stopping, proving',
    phase: 3,
    budgetS: 720,
    ...vitest('whole', '--config', 'test/vitest.config.ts'),
  },
  {
    name: 'agents',
    about: 'real, unmodified agents from the registry, and the demo',
    phase: 4,
    budgetS: 480,
    ...vitest('agents', '--config', 'test/vitest.e2e.config.ts'),
  },
];

const outputLimitChars = 20_000;
const graceMs = 10_000;

interface Result {
  readonly suite: Suite;
  readonly ok: boolean;
  readonly passed: number;
  readonly failed: number;
}

function run(suite: Suite): Promise<Result> {
  const started = performance.now();
  // What an earlier run reported says nothing about this one.
  rmSync(reportOf(suite.name), { force: true });
  const [program = '', ...args] = suite.command;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, FORCE_COLOR: '0' } });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-outputLimitChars);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  let late = false;
  let killTimer: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    late = true;
    // It may still end what it started, and say how far it came.
    child.kill('SIGTERM');
    killTimer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  }, suite.budgetS * 1000);
  return new Promise((resolve) => {
    child.on('error', (error) => keep(Buffer.from(`${error.message}\n`)));
    child.on('close', (status) => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      const { passed, failed } = suite.tests ? counts(suite.name) : { passed: 0, failed: 0 };
      const ok = status === 0 && !late && failed === 0 && (!suite.tests || passed > 0);
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
      const tests = suite.tests ? `, ${passed} tests passed, ${failed} failed` : '';
      console.log(`${ok ? 'ok  ' : 'FAIL'} ${suite.name.padEnd(12)} ${seconds} s of ${suite.budgetS} s${tests}`);
      if (!ok)
        console.log(
          `${output}\n${late ? `over its budget of ${suite.budgetS} s\n` : ''}run it alone: ./check ${suite.name}`,
        );
      resolve({ suite, ok, passed, failed });
    });
  });
}

function counts(name: string): { passed: number; failed: number } {
  try {
    const report = JSON.parse(readFileSync(reportOf(name), 'utf8')) as {
      numPassedTests: number;
      numFailedTests: number;
      numPendingTests: number;
    };
    // A skipped test proves nothing, so it counts as failed: nothing may be skipped silently.
    return { passed: report.numPassedTests, failed: report.numFailedTests + report.numPendingTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

const names = process.argv.slice(2);
if (names.includes('--list')) {
  for (const suite of suites) console.log(`${suite.name.padEnd(12)} ${suite.about} (budget ${suite.budgetS} s)`);
  process.exit(0);
}
const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(`check: no suite ${unknown.join(', ')}; ./check --list names them`);
  process.exit(64);
}
mkdirSync('.cache/check', { recursive: true });
const chosen = names.length === 0 ? suites : suites.filter((suite) => names.includes(suite.name));
const started = performance.now();
const results: Result[] = [];
for (const phase of [1, 2, 3, 4] as const) {
  results.push(...(await Promise.all(chosen.filter((suite) => suite.phase === phase).map(run))));
  if (results.some((result) => !result.ok)) break;
}
const ok = results.length === chosen.length && results.every((result) => result.ok);
const passed = results.reduce((sum, result) => sum + (result.suite.tests ? result.passed : Number(result.ok)), 0);
const failed = results.reduce((sum, result) => sum + (result.suite.tests ? result.failed : Number(!result.ok)), 0);
const seconds = Math.round((performance.now() - started) / 1000);
for (const suite of chosen.slice(results.length)) console.log(`not run  ${suite.name}`);
console.log(`\nchecked in ${Math.floor(seconds / 60)} min ${seconds % 60} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(ok ? 0 : 1);
