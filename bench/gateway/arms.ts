import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Ready } from './ready.ts';

/** A process that serves one way to the server, or the server itself. */
export interface RunningArm extends Ready {
  readonly name: string;
  readonly child: ChildProcess;
}

/** Starts `arm.ts` in a process of its own; null, with a word, where what it needs is not there. */
export function startArm(name: string, upstream: Ready | null): Promise<RunningArm | null> {
  const child = fork(path.join(import.meta.dirname, 'arm.ts'), [name, JSON.stringify(upstream)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: process.execArgv,
  });
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      const ready = message as Ready | { readonly missing: string };
      if (!('missing' in ready)) return resolve({ ...ready, name, child });
      console.log(`without ${name}: ${ready.missing}\n`);
      child.kill();
      resolve(null);
    });
    child.once('exit', (status) => reject(new Error(`${name} ended with ${status}`)));
  });
}

/** Each ends with the channel to its parent. */
export function endArms(arms: readonly RunningArm[]): void {
  for (const { child } of arms) {
    child.removeAllListeners('exit');
    child.disconnect();
  }
}

/** Processor time of a process and of what it started; says what an arm costs, whatever else the machine does. */
export function cpuMicros(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  // utime and stime, proc(5), in hundredths of a second
  const own = (Number(fields[11]) + Number(fields[12])) * 10_000;
  return childrenOf(pid).reduce((sum, child) => sum + cpuMicros(child), own);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);
}

/** Resident memory of a process and of what it started, in MiB. */
export function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  return childrenOf(pid).reduce((sum, child) => sum + residentMiB(child), own);
}
