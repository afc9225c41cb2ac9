import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SessionRequest } from '@cordon/protocol';
import { type Cordon, connect, type SessionHandle } from '@cordon/sdk';

const source = path.resolve(import.meta.dirname, '../src/main.ts');
const flags = ['--conditions=cordon-source', '--disable-warning=ExperimentalWarning'];

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A daemon of its own, from source, with everything real: supervisor, gateway, sandboxes. */
export class Running implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'cdd-'));
  readonly home = path.join(this.folder, 'home');
  readonly runtime = path.join(this.folder, 'run');
  readonly workspace = path.join(this.folder, 'work');
  readonly #arguments: string[] = [];
  #control: ChildProcess | null = null;

  constructor(destinations?: unknown) {
    chmodSync(this.folder, 0o755);
    mkdirSync(this.workspace);
    if (destinations !== undefined) {
      const file = path.join(this.folder, 'destinations.json');
      writeFileSync(file, JSON.stringify(destinations));
      this.#arguments.push('--testing-destinations', file);
    }
  }

  get cordon(): Cordon {
    return connect({ socket: path.join(this.runtime, 'api.sock') });
  }

  /** Starts the control plane and waits until its API answers. */
  async up(): Promise<void> {
    const child = this.spawn();
    this.#control = child;
    let ended = false;
    child.on('exit', () => {
      ended = true;
    });
    const socket = path.join(this.runtime, 'api.sock');
    for (;;) {
      if (ended) throw new TypeError(`cordond ended: ${this.log()}`);
      if (existsSync(socket) && (await this.cordon.status().catch(() => null))?.pid === child.pid) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** A session in our workspace. */
  async create(request: Omit<SessionRequest, 'workspace'> & { workspace?: string }): Promise<SessionHandle> {
    return (await this.cordon.sessions.create({ workspace: this.workspace, ...request })).handle;
  }

  spawn(extra: readonly string[] = []): ChildProcess {
    return spawn(process.execPath, [...flags, source, ...this.#arguments, ...extra], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', CORDON_HOME: this.home, CORDON_RUNTIME_DIR: this.runtime },
    });
  }

  /** A cordond that is expected to end by itself. */
  async refused(extra: readonly string[] = [], env: Record<string, string> = {}): Promise<Ended> {
    const child = spawn(process.execPath, [...flags, source, ...extra], {
      env: { PATH: process.env['PATH'] ?? '', CORDON_HOME: this.home, CORDON_RUNTIME_DIR: this.runtime, ...env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { status, stdout, stderr };
  }

  /** Kills the control plane alone, as the kernel would. */
  async killControl(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** The clean end of everything. */
  async down(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  script(name: string, text: string): string {
    const file = path.join(this.workspace, name);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }

  log(): string {
    const folder = path.join(this.home, 'log');
    if (!existsSync(folder)) return '';
    return readdirSync(folder)
      .map((name) => `${name}:\n${readFileSync(path.join(folder, name), 'utf8')}`)
      .join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#control === null) await this.up().catch(() => undefined);
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#control;
    this.#control = null;
    if (child === null || child.exitCode !== null) return child?.exitCode ?? null;
    child.stdout?.resume();
    child.stderr?.resume();
    const closed = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.kill(signal);
    return await closed;
  }
}

/** Everything that a session printed, once it has ended. */
export async function outputOf(
  session: SessionHandle,
): Promise<{ stdout: string; stderr: string; status: number; reason: string }> {
  const attachment = await session.attach();
  await attachment.endInput();
  let stdout = '';
  let stderr = '';
  for await (const output of attachment) {
    if (output.type === 'stdout') stdout += Buffer.from(output.bytes).toString();
    if (output.type === 'stderr') stderr += Buffer.from(output.bytes).toString();
    if (output.type === 'exit') return { stdout, stderr, status: output.exit.status, reason: output.exit.reason };
  }
  throw new TypeError('the stream ended without an exit');
}
