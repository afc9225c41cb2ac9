import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { SessionRequest } from '@cordon/protocol';
import { type Capability, type Cordon, connect } from '@cordon/sdk';
import type { TestingDestinations } from '@cordon/testkit';
import { AttackError, unclear } from './error.ts';
import type { Run, Underway } from './run.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const program = path.join(root, 'apps/cordon/dist/cordon.mjs');
const attackTimeoutMs = 60_000;
const endTimeoutMs = 10_000;
const pollMs = 25;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is done outside while the command runs; its input ends after that. */
type During = (underway: Underway) => Promise<void>;

interface Attempt {
  readonly said: { stdout: string; stderr: string };
  readonly limit: AbortSignal;
  readonly during: During | undefined;
}

/**
 * A Cordon of its own: the programs of this installation, with state, sockets and workspace in one temporary folder.
 * Nothing of the user's daemon is touched, and the granted host can be served from this machine.
 */
export class Deployment implements AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  readonly runtime: string;
  readonly workspace: string;
  readonly api: Cordon;
  readonly #signal: AbortSignal;
  /** The ssh-agent that the caller has, for attacks to find. */
  readonly #agent: string;

  private constructor(folder: string, signal: AbortSignal, agent: string) {
    this.folder = folder;
    this.home = path.join(folder, 'home');
    this.runtime = path.join(folder, 'run');
    this.workspace = path.join(folder, 'work');
    this.api = connect({ socket: path.join(this.runtime, 'api.sock') });
    this.#signal = signal;
    this.#agent = agent;
  }

  /** @throws AttackError `unavailable` with what the daemon said */
  static async start(
    destinations: TestingDestinations,
    { signal, agent }: { readonly signal: AbortSignal; readonly agent: string },
  ): Promise<Deployment> {
    // Short, because a Unix socket's path has 108 bytes.
    const folder = mkdtempSync(path.join(tmpdir(), 'ca-'));
    chmodSync(folder, 0o755);
    const deployment = new Deployment(folder, signal, agent);
    for (const dir of [deployment.home, deployment.runtime, deployment.workspace]) mkdirSync(dir, { mode: 0o700 });
    const file = path.join(folder, 'destinations.json');
    writeFileSync(file, JSON.stringify(destinations));
    const up = await deployment.cordon(['up', '--testing-destinations', file]);
    if (up.status !== 0) {
      await deployment[Symbol.asyncDispose]();
      throw new AttackError('unavailable', `the daemon did not start: ${up.stderr.trimEnd()}`, {
        nextSteps: ['cordon doctor'],
      });
    }
    return deployment;
  }

  /** The command line, as a person would use it, to its end. */
  cordon(args: readonly string[]): Promise<Ended> {
    return this.#spawn([process.execPath, program, ...args]);
  }

  /** The same on a pseudo-terminal of its own, by the program `script`. */
  onTerminal(args: readonly string[], redirection = ''): Promise<Ended> {
    const words = [process.execPath, program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    return this.#spawn(['script', '-qec', `${words.join(' ')} ${redirection}`, '/dev/null']);
  }

  #spawn([file = '', ...args]: readonly string[]): Promise<Ended> {
    const child = spawn(file, args, {
      cwd: this.workspace,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C is for us, and the command that cleans up must not hear it.
      detached: true,
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: this.folder,
        SSH_AUTH_SOCK: this.#agent,
        CORDON_HOME: this.home,
        CORDON_RUNTIME_DIR: this.runtime,
        NO_COLOR: '1',
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => resolve({ status, stdout, stderr }));
    });
  }

  doctor(): Promise<Capability[]> {
    return this.api.doctor();
  }

  /** Runs a shell script in a session of its own, to its end. @throws AttackError `unclear` when it does not end */
  async run(script: string, request: Partial<SessionRequest>, during?: During): Promise<Run> {
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(attackTimeoutMs)]);
    const said = { stdout: '', stderr: '' };
    try {
      return await unlessAborted(limit, this.#attached(script, request, { said, limit, during }));
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!limit.aborted) throw error;
      throw unclear(`the attack did not end within ${attackTimeoutMs / 1000} s: ${said.stdout}${said.stderr}`);
    }
  }

  async #attached(script: string, request: Partial<SessionRequest>, { said, limit, during }: Attempt): Promise<Run> {
    const { handle } = await this.api.sessions.create({
      command: ['/bin/sh', '-c', script],
      workspace: this.workspace,
      ...request,
    });
    const attachment = await handle.attach({ offset: 0 });
    const stop = (): void => {
      attachment.detach();
      // The daemon may be going down already, which ends it as well.
      handle.kill('the attack did not end').catch(() => undefined);
    };
    limit.addEventListener('abort', stop);
    const outside = Promise.resolve(during?.({ session: handle.id, said: () => said.stdout }));
    // A command that has just ended takes no input; its exit report follows.
    const endInput = (): void => void attachment.endInput().catch(() => undefined);
    outside.then(endInput, endInput);
    try {
      for await (const output of attachment) {
        if (output.type === 'exit') {
          await outside;
          return { ...said, status: output.exit.status, session: handle.id };
        }
        if (output.type !== 'notice') said[output.type] += Buffer.from(output.bytes).toString();
      }
      throw unclear('the session’s output ended without an exit report');
    } finally {
      limit.removeEventListener('abort', stop);
    }
  }

  /** Ids of every process of this deployment, on whichever side of the boundary: by the folder in their environment or arguments. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => {
        try {
          return ['environ', 'cmdline'].some((file) =>
            readFileSync(`/proc/${name}/${file}`, 'utf8').includes(this.folder),
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  /** Mount points below the folder that the host sees. */
  mounts(): string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.folder));
  }

  /** @throws AttackError `escaped` when something outlives the daemon */
  async [Symbol.asyncDispose](): Promise<void> {
    const down = await this.cordon(['down']);
    const deadline = performance.now() + endTimeoutMs;
    while (this.processes().length > 0 && performance.now() < deadline) await pause(pollMs);
    const processes = this.processes();
    const mounts = this.mounts();
    for (const pid of processes) process.kill(pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    if (processes.length > 0 || mounts.length > 0) {
      throw new AttackError(
        'escaped',
        `outlived the daemon: processes ${processes.join(' ')}, mounts ${mounts.join(' ')} (down: ${down.stderr.trimEnd()})`,
      );
    }
  }
}

/** What is still waited for when the signal aborts is left to end by itself: the daemon goes down with it. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  let stop = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
