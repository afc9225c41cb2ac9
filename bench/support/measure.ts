import { spawn } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';

/** Wall time of one command, in milliseconds; throws when it fails, since a failing arm measures nothing. */
export function timeCommand(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<number> {
  const [file = '', ...args] = command;
  const started = performance.now();
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env, cwd });
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(performance.now() - started);
      else reject(new Error(`${command.join(' ')} ended with ${status}: ${err}`));
    });
  });
}

export interface Summary {
  readonly median: number;
  readonly p95: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95), min: at(0), max: at(1), count: sorted.length };
}

export function print(name: string, summary: Summary, unit = 'ms'): void {
  const f = (value: number): string => value.toFixed(1).padStart(8);
  console.log(
    `${name.padEnd(44)} median ${f(summary.median)} ${unit}   p95 ${f(summary.p95)}   min ${f(summary.min)}   max ${f(summary.max)}   n ${summary.count}`,
  );
}

/** What the figures were measured on, so that nobody compares two machines unknowingly. */
export function printMachine(): void {
  console.log(
    `machine: ${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}\n`,
  );
}
