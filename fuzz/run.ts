// Fuzzing of everything that reads bytes of somebody else:
//   node fuzz/run.ts [TARGET…] [--seconds N | --runs N] [--seed N] [--corpus DIR] [--jobs N]
//   node fuzz/run.ts --short      what ./check runs: fixed seed, every target
//   node fuzz/run.ts --list
// Regressions and corpus come first, then changes of them, steered by what they reach. With --corpus what was found
// worth keeping is written there; without, fuzz/corpus is read only. Ends with 1 when a property did not hold.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { encodeLine, readInputs, writeInputs } from './engine/inputs.ts';
import type { Answer } from './engine/process.ts';
import { runTarget } from './engine/watch.ts';

const here = import.meta.dirname;
/** The short run ends by itself, however slow the machine is: what was found once always runs, of the rest what fits. */
const shortMs = 40_000;
const shortSeed = 1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: String(shortSeed) },
    corpus: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

const known = readdirSync(path.join(here, 'targets'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length))
  .sort();

function usage(problem: string): never {
  console.error(
    `fuzz: ${problem}\nusage: node fuzz/run.ts [TARGET…] [--seconds N | --runs N] [--seed N] [--corpus DIR] [--jobs N]`,
  );
  process.exit(64);
}

function count(name: 'seconds' | 'runs' | 'seed' | 'jobs', otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  if (!/^[0-9]{1,9}$/.test(text)) usage(`--${name} ${text} is no number`);
  return Number(text);
}

async function main(): Promise<number> {
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) usage(`no target ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const names = positionals.length === 0 ? known : positionals;
  const scratch = mkdtempSync(path.join(tmpdir(), 'cordon-fuzz-'));
  try {
    const started = performance.now();
    const waiting = [...names];
    const failed: string[] = [];
    const worker = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const left = Math.max(0, shortMs - (performance.now() - started)) / (waiting.length + 1);
        if (!(await fuzz(name, scratch, left))) failed.push(name);
      }
    };
    await Promise.all(Array.from({ length: Math.max(1, count('jobs', 1)) }, worker));
    console.log(failed.length === 0 ? `${names.length} targets, no findings` : `findings: ${failed.join(', ')}`);
    return failed.length === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function fuzz(name: string, scratch: string, leftMs: number): Promise<boolean> {
  const corpusFolder = path.resolve(values.corpus ?? path.join(here, 'corpus'));
  const coded = (inputs: readonly Uint8Array[]): string[] => inputs.map((one) => Buffer.from(one).toString('base64'));
  const endless = Number.MAX_SAFE_INTEGER;
  const seconds = values.runs === undefined ? count('seconds', 10) : endless;
  const answer = await runTarget({
    target: name,
    current: path.join(scratch, name),
    seed: count('seed', shortSeed),
    runs: values.short ? 'short' : count('runs', endless),
    milliseconds: values.short ? leftMs : seconds * 1000,
    regressions: coded(readInputs(path.join(here, 'regressions'), name)),
    corpus: coded(readInputs(corpusFolder, name)),
  });
  switch (answer.kind) {
    case 'report':
      return report(name, answer);
    case 'finding':
      return find(name, answer);
    case 'about':
      throw new Error(`${name} did not run`);
  }
}

function report(name: string, { report: done, corpus }: Extract<Answer, { kind: 'report' }>): boolean {
  const perSecond = Math.round((done.runs * 1000) / Math.max(1, done.milliseconds));
  const reached = `${done.reached} of ${done.of} blocks${done.native > 0 ? `, ${done.native} places of native code` : ''}`;
  const slowest = `slowest ${done.slowestMs.toFixed(0)} ms`;
  console.log(
    `ok   ${name.padEnd(14)} ${String(done.runs).padStart(9)} inputs in ${(done.milliseconds / 1000).toFixed(1)} s (${perSecond}/s), ${reached}, ${corpus.length} kept, ${slowest}`,
  );
  if (values.corpus !== undefined) {
    writeInputs(
      path.resolve(values.corpus),
      name,
      corpus.map((one) => Buffer.from(one, 'base64')),
    );
  }
  return true;
}

function find(name: string, { message, stack, input }: Extract<Answer, { kind: 'finding' }>): boolean {
  const folder = path.resolve('.cache/fuzz/findings');
  const bytes = Buffer.from(input, 'base64');
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.txt`);
  writeFileSync(file, `# ${message.split('\n')[0]}\n${encodeLine(bytes)}\n`);
  console.log(
    `FAIL ${name}\n    ${message}\n${stack}\nthe input is in ${file}; append it to fuzz/regressions/${name}.txt when it is mended`,
  );
  return false;
}

async function list(name: string): Promise<void> {
  const order = {
    target: name,
    current: '',
    seed: 0,
    runs: 'about',
    milliseconds: 0,
    regressions: [],
    corpus: [],
  } as const;
  const answer = await runTarget(order);
  if (answer.kind !== 'about') throw new Error(`${name} does not load`);
  console.log(`${name.padEnd(14)} ${answer.about}\n${' '.repeat(15)}must hold: ${answer.oracle}`);
}

if (values.list) for (const name of known) await list(name);
else process.exitCode = await main();
