import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttachDecoder,
  type AttachFrameType,
  Channel,
  createId,
  type ExitReport,
  encodeAttachFrames,
  type StartOrder,
  type SupervisorEvents,
  type SupervisorMethods,
  systemClock,
  systemRandom,
} from '@cordon/protocol';
import { launchBinary } from '../workspace/support.ts';

export type Control = Channel<SupervisorMethods, SupervisorEvents>;
export interface Told {
  readonly name: keyof SupervisorEvents;
  readonly params: Record<string, unknown>;
}

/** A host of its own for one test: home, runtime folder, workspace, and supervisors that can be killed. */
export class TestHost implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'cordon-supervisor-'));
  readonly home = join(this.root, 'home');
  readonly runtime = join(this.root, 'run');
  readonly workspace = join(this.root, 'workspace');
  readonly told: Told[] = [];
  readonly #processes: ChildProcess[] = [];
  readonly #controls: Control[] = [];
  stderr = '';

  constructor() {
    mkdirSync(this.workspace);
    if (process.getuid?.() === 0) execFileSync('chmod', ['755', this.root]);
  }

  /** Starts a supervisor; answers its first line (`listening` or an error code). */
  async supervisor(): Promise<{ child: ChildProcess; said: string }> {
    const args = [
      '--conditions=cordon-source',
      join(import.meta.dirname, 'supervisor-program.ts'),
      this.home,
      this.runtime,
      launchBinary,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    this.#processes.push(child);
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    const said = await new Promise<string>((resolve) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
      child.once('exit', () => resolve(`exited: ${this.stderr}`));
    });
    return { child, said };
  }

  /** A control plane. `hello` false: it only connects. `record` false: it takes no event. */
  async control(options: { readonly hello?: boolean; readonly record?: boolean } = {}): Promise<Control> {
    const socket = await open(join(this.runtime, 'supervisor.sock'));
    const take =
      (name: keyof SupervisorEvents) =>
      (params: unknown): Promise<null> | null => {
        if (options.record === false) return new Promise(() => undefined);
        this.told.push({ name, params: params as Record<string, unknown> });
        return null;
      };
    const control: Control = new Channel<SupervisorMethods, SupervisorEvents>(socket, {
      'session.exited': take('session.exited'),
      'gateway.down': take('gateway.down'),
      'gateway.up': take('gateway.up'),
      'workspace.quarantined': take('workspace.quarantined'),
      recovered: take('recovered'),
    });
    this.#controls.push(control);
    if (options.hello !== false) await control.call('hello', { boot: 'test' });
    return control;
  }

  order(script: string, changes: Partial<StartOrder> = {}): StartOrder {
    return {
      tenant: 'local',
      session: createId('session', systemClock, systemRandom),
      agent: 'tester',
      driver: 'process',
      allowWeaker: process.getuid?.() === 0 ? [] : ['cgroups', 'uid'],
      command: ['/bin/bash', '-c', script],
      cwd: this.workspace,
      env: {},
      terminal: null,
      workspace: { path: this.workspace, mode: 'proposal' },
      readOnly: [],
      protectedPaths: [],
      files: [],
      hostNames: [],
      resources: {
        cpuMillis: 2000,
        memoryBytes: 512 * 1024 ** 2,
        pidsMax: 200,
        diskBytes: 64 * 1024 ** 2,
        openFilesMax: 1024,
      },
      seccomp: 'compat',
      caCertificate: '',
      ttlMs: 600_000,
      ...changes,
    };
  }

  attach(session: string, offset = 0, exec: string | null = null): Promise<Attached> {
    return Attached.open(join(this.runtime, 'stream.sock'), { session, exec, offset });
  }

  /** Waits for an event. */
  async tells(
    name: keyof SupervisorEvents,
    match: (params: Record<string, unknown>) => boolean = () => true,
  ): Promise<Told> {
    return until(() => this.told.find((one) => one.name === name && match(one.params)), `event ${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      // An orderly end, so that no cgroup of a test stays on the host.
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await gone;
      clearTimeout(late);
    }
    for (const control of this.#controls) control.close();
    await until(() => gatewayPids(this.runtime).every((pid) => !isAlive(pid)) || undefined, 'gateways to end');
    execFileSync(launchBinary, ['tree', 'remove', this.root]);
  }
}

/** The client's end of `stream.sock`. */
export class Attached {
  readonly socket: Socket;
  readonly frames: { type: AttachFrameType; text: string }[] = [];
  /** As a client counts: payload of stdout and stderr. */
  offset = 0;
  closed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    const decoder = new AttachDecoder();
    socket.on('data', (chunk) => {
      for (const { type, payload } of decoder.push(chunk)) {
        if (type === 'stdout' || type === 'stderr') this.offset += payload.length;
        this.frames.push({ type, text: Buffer.from(payload).toString() });
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async open(path: string, line: object): Promise<Attached> {
    const socket = await open(path);
    socket.write(`${JSON.stringify(line)}\n`);
    return new Attached(socket);
  }

  send(type: AttachFrameType, text: string): void {
    for (const frame of encodeAttachFrames(type, Buffer.from(text))) this.socket.write(frame);
  }

  text(type: AttachFrameType): string {
    return this.frames.flatMap((frame) => (frame.type === type ? [frame.text] : [])).join('');
  }

  async exit(): Promise<ExitReport> {
    await until(() => this.closed || undefined, 'the stream to end');
    const last = this.frames.at(-1);
    if (last?.type !== 'exit') throw new Error(`last frame: ${JSON.stringify(last)}`);
    return JSON.parse(last.text) as ExitReport;
  }
}

export function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path }, () => resolve(socket));
    socket.on('error', reject);
  });
}

export async function until<T>(look: () => T | undefined | false | null, what: string, limitMs = 15_000): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false && found !== null) return found;
    if (Date.now() > end) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

function gatewayPids(runtime: string): number[] {
  try {
    return readdirSync(runtime)
      .filter((name) => name.startsWith('gateway-'))
      .map((name) => (JSON.parse(readFileSync(join(runtime, name), 'utf8')) as { pid: number }).pid);
  } catch {
    return [];
  }
}

/** Pids whose command line or environment-free argv holds this text. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^[0-9]+$/.test(name) || Number(name) === process.pid) return [];
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Folders of a session in any cgroup hierarchy. */
export function cgroupsOf(session: string): string[] {
  // Exits with 1 where an ordinary user may not look: nothing of ours is there.
  const found = spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', session], { encoding: 'utf8' });
  return found.stdout.split('\n').filter(Boolean);
}

/** Processes in a session's cgroups, as the host sees them. */
export function processesIn(session: string): number[] {
  const files = cgroupsOf(session).flatMap((folder) =>
    execFileSync('find', [folder, '-name', 'cgroup.procs']).toString().split('\n').filter(Boolean),
  );
  const pids = files.flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number));
  return [...new Set(pids)];
}

/** Asks the session's own gateway from inside, with nothing but bash. */
export const askGateway = `ask() { exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET %s HTTP/1.0\\r\\n\\r\\n' "$1" >&3; tail -n 1 <&3; exec 3>&-; }`;
