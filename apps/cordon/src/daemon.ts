import { spawn } from 'node:child_process';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CordonError, isCordonError } from '@cordon/protocol';
import { type Cordon, connect } from '@cordon/sdk';
import { type CliErrorCode, exitStatus } from './exit.ts';
import type { Surroundings } from './surroundings.ts';

const startTimeoutMs = 15_000;
const pollMs = 20;
const logTailChars = 2_000;

/** Programs of the same build, beside this one. */
const programs = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const cordondProgram = path.join(programs, 'cordond/dist/main.js');
export const verifyProgram = path.join(programs, 'verify/dist/main.js');
export const exportProgram = path.join(programs, 'verify/dist/export.js');
export const witnessProgram = path.join(programs, 'witness/dist/main.js');
export const demoProgram = path.join(programs, 'demo/dist/main.js');
export const attackProgram = path.join(programs, 'attack/dist/main.js');

/** A small young generation and one helper thread: the daemon idles most of the day. No debugger by signal. */
const nodeOptions = ['--max-semi-space-size=2', '--v8-pool-size=1', '--disable-sigusr1'];

export function socketOf(at: Surroundings): string {
  return path.join(at.runtime, 'api.sock');
}

export async function runningDaemon(at: Surroundings): Promise<Cordon | null> {
  const socket = socketOf(at);
  if (!existsSync(socket)) return null;
  const cordon = connect({ socket });
  try {
    await cordon.status();
    return cordon;
  } catch (error) {
    // A socket that nobody listens on is what kill -9 leaves behind.
    if (isCordonError(error) && error.code === 'unreachable') return null;
    throw error;
  }
}

/** Starts `cordond` in a session of its own and waits until its API answers. */
export async function startDaemon(at: Surroundings, extra: readonly string[] = []): Promise<Cordon> {
  const logFile = path.join(at.home, 'log', 'cordond.log');
  const log = openLog(logFile);
  const before = fstatSync(log).size;
  const child = spawn(process.execPath, [...nodeOptions, cordondProgram, ...extra], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, CORDON_HOME: at.home, CORDON_RUNTIME_DIR: at.runtime },
  });
  closeSync(log);
  let ended: number | null = null;
  child.on('error', () => {
    ended = exitStatus.internal;
  });
  child.on('exit', (status) => {
    ended = status ?? exitStatus.internal;
  });
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    const cordon = await runningDaemon(at);
    // Two commands may start a daemon at once: one wins, the other ends and both use the winner.
    if (cordon !== null) {
      child.unref();
      return cordon;
    }
    if (ended !== null && ended !== exitStatus.unavailable) break;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  if (ended === null) child.kill('SIGTERM');
  throw new CordonError<CliErrorCode>('unavailable', `the daemon did not start:\n${since(logFile, before)}`, {
    expose: true,
    nextSteps: [`less ${logFile}`, 'cordon doctor'],
  });
}

/** @throws CordonError `unavailable` when the disk takes nothing: neither would it take what the daemon must write. */
function openLog(file: string): number {
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    return openSync(file, 'a', 0o600);
  } catch (cause) {
    const message = `the daemon cannot be started: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new CordonError<CliErrorCode>('unavailable', message, {
      expose: true,
      nextSteps: [`check the disk and the owner of ${path.dirname(path.dirname(file))}`],
      cause,
    });
  }
}

/** What this start wrote, not what earlier ones did. */
function since(file: string, offset: number): string {
  try {
    return readFileSync(file).subarray(offset).toString('utf8').slice(-logTailChars).trimEnd() || '(it said nothing)';
  } catch {
    return '(no log)';
  }
}
