// Takes one check out of the code at a time and runs the tests that must notice: `node tools/mutation.ts` all of them,
// `--only TEXT` those whose name or file holds the text, `--short` the few that `./check` tries, `--list` names them.
// Works in private copies of the tree, so that nobody's files change under them. Exit 1: a mutation survived, or could
// not be tried.
import { execFileSync, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { mutations, shortRun } from './mutations/index.ts';
import type { Mutation } from './mutations/mutation.ts';

const root = path.resolve(import.meta.dirname, '..');
/** A run that hangs is no verdict. */
const runTimeoutMs = 180_000;

/** Process groups of vitest and its workers; apart from ours, so Ctrl-C does not reach them. */
const running = new Set<number>();

function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

type Verdict =
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'survived' }
  | { readonly kind: 'broken'; readonly why: string };

/** The tree as it is now, with its workspaces linked to themselves: an import must not lead back to the original. */
function copyTree(): string {
  const copy = mkdtempSync(path.join(tmpdir(), 'cordon-mutation-'));
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  for (const file of files.toString().split('\0')) {
    if (file === '') continue;
    mkdirSync(path.dirname(path.join(copy, file)), { recursive: true });
    try {
      copyFileSync(path.join(root, file), path.join(copy, file));
    } catch (error: unknown) {
      // Deleted and not yet committed.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  mkdirSync(path.join(copy, 'node_modules/@cordon'), { recursive: true });
  for (const name of readdirSync(path.join(root, 'node_modules'))) {
    if (name === '@cordon') continue;
    symlinkSync(path.join(root, 'node_modules', name), path.join(copy, 'node_modules', name));
  }
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(path.join(copy, group))) {
      const manifest = JSON.parse(readFileSync(path.join(copy, group, name, 'package.json'), 'utf8')) as {
        name: string;
      };
      symlinkSync(path.join('../..', group, name), path.join(copy, 'node_modules', manifest.name));
    }
  }
  return copy;
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: ReadonlyArray<{
    readonly message?: string;
    readonly assertionResults: ReadonlyArray<{ readonly fullName: string; readonly status: string }>;
  }>;
}

/** Runs the tests in a copy; null: it hung. */
async function runTests(
  copy: string,
  tests: readonly string[],
  options: { only?: string | undefined; bail: boolean },
): Promise<Report | null> {
  const output = path.join(copy, 'mutation.json');
  rmSync(output, { force: true });
  const filter = options.only === undefined ? [] : ['-t', options.only];
  const args = ['run', ...tests, ...filter, '--reporter=json', `--outputFile=${output}`, '--maxWorkers=1'];
  const child = spawn(path.join(root, 'node_modules/.bin/vitest'), options.bail ? [...args, '--bail=1'] : args, {
    cwd: copy,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const group = child.pid;
  if (group !== undefined) running.add(group);
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-2000);
  });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    if (group !== undefined) endGroup(group);
  }, runTimeoutMs);
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  if (group !== undefined) running.delete(group);
  if (hung) return null;
  try {
    return JSON.parse(readFileSync(output, 'utf8')) as Report;
  } catch {
    throw new Error(`vitest wrote no report: ${words}`);
  }
}

async function judge(copy: string, mutation: Mutation): Promise<Verdict> {
  const file = path.join(copy, mutation.file);
  const original = readFileSync(file, 'utf8');
  const parts = original.split(mutation.find);
  if (parts.length !== 2)
    return { kind: 'broken', why: `the text stands ${parts.length - 1} times in ${mutation.file}` };
  writeFileSync(file, parts.join(mutation.replace));
  try {
    const report = await runTests(copy, mutation.tests, { only: mutation.only, bail: true });
    if (report === null) return { kind: 'broken', why: 'the tests hung' };
    const failed = report.testResults
      .flatMap((suite) => suite.assertionResults)
      .find(({ status }) => status === 'failed');
    if (failed !== undefined) return { kind: 'killed', by: failed.fullName };
    // A file that cannot be loaded says nothing about the check.
    if (report.numPassedTests === 0) return { kind: 'broken', why: report.testResults[0]?.message ?? 'no test ran' };
    return { kind: 'survived' };
  } finally {
    writeFileSync(file, original);
  }
}

/** A test that fails anyway would kill every mutation. */
async function checkUntouched(copy: string, chosen: readonly Mutation[]): Promise<void> {
  const tests = [...new Set(chosen.flatMap((mutation) => mutation.tests))].sort();
  const report = await runTests(copy, tests, { bail: false });
  const failed = report?.testResults
    .flatMap((suite) => suite.assertionResults)
    .filter(({ status }) => status === 'failed');
  const unread = report?.testResults.filter((suite) => suite.assertionResults.length === 0) ?? [];
  if (report !== null && failed?.length === 0 && unread.length === 0) return;
  for (const { fullName } of failed ?? []) console.error(`fails without any mutation: ${fullName}`);
  for (const { message } of unread) console.error(`does not run: ${message}`);
  throw new Error('the tests do not pass on the unchanged tree');
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(
    'node tools/mutation.ts [--only TEXT] [--short] [--list]: takes one check out at a time; a test must notice',
  );
  process.exit(0);
}
const chosen = mutations
  .filter(({ name, file }) => name.includes(values.only) || file.includes(values.only))
  .filter(({ name }) => !values.short || shortRun.includes(name));
if (chosen.length === 0) {
  console.error(`mutation: nothing is called ${values.only}; --list names them`);
  process.exit(64);
}
if (values.list) {
  for (const { name, file } of chosen) console.log(`${name}  (${file})`);
  process.exit(0);
}
const started = performance.now();
const copies = Array.from({ length: Math.min(2, availableParallelism(), chosen.length) }, copyTree);
const survivors: string[] = [];
const takeDown = (): void => {
  for (const group of running) endGroup(group);
  for (const copy of copies) rmSync(copy, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    takeDown();
    process.exit(130);
  });
}
try {
  const [first] = copies;
  if (first === undefined) throw new Error(`no copy of the tree was made`);
  await checkUntouched(first, chosen);
  const waiting = [...chosen];
  await Promise.all(
    copies.map(async (copy) => {
      for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
        const verdict = await judge(copy, mutation);
        if (verdict.kind !== 'killed') survivors.push(mutation.name);
        const detail =
          verdict.kind === 'killed' ? verdict.by : verdict.kind === 'broken' ? verdict.why : 'NO TEST FAILED';
        console.log(`${verdict.kind.padEnd(8)} ${mutation.name}\n         ${detail.split('\n')[0]?.slice(0, 140)}`);
      }
    }),
  );
} finally {
  takeDown();
}
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  `\n${chosen.length} mutations, ${chosen.length - survivors.length} killed, ${survivors.length} not, ${seconds} s`,
);
for (const name of survivors) console.log(`not killed: ${name}`);
process.exit(survivors.length === 0 ? 0 : 1);
