import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Cordon, connect } from '@cordon/sdk';

/** An ordinary user without a name, a home or a group of ours. */
export const ordinaryUser = { uid: 61_234, gid: 61_234 } as const;

const root = path.resolve(import.meta.dirname, '../..');
const program = 'apps/cordon/dist/cordon.mjs';
const commandTimeoutMs = 60_000;

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export type BackgroundRun = ChildProcess & { readonly closed: Promise<number | null> };

export interface DeploymentOptions {
  /** Run everything as this user instead of root. */
  readonly as?: { readonly uid: number; readonly gid: number };
  /** Contents of the test-only destinations file; the daemon is then started with it. */
  readonly destinations?: unknown;
  /** `relay`: the sockets of sessions that name no policy of their own are relayed (docs/decisions/0048). */
  readonly sockets?: 'hand-off' | 'relay';
  /** Another Node than the checkout's, for everything that is started. */
  readonly node?: string;
  /** A file system of its own for the state folder. */
  readonly disk?: { readonly attach: (home: string) => void; readonly detach: () => void };
}

/**
 * A Cordon of its own: state, sockets and workspace in one temporary folder, used through the built command line
 * as a person would. When it is disposed, everything must be gone; what is not is reported as an error.
 */
export class Deployment implements AsyncDisposable {
  readonly folder: string;
  readonly home: string;
  readonly runtime: string;
  readonly workspace: string;
  readonly #as: DeploymentOptions['as'];
  readonly #options: DeploymentOptions;

  private constructor(folder: string, options: DeploymentOptions) {
    this.folder = folder;
    this.home = path.join(folder, 'home');
    this.runtime = path.join(folder, 'run');
    this.workspace = path.join(folder, 'work');
    this.#options = options;
    this.#as = options.as;
  }

  static async start(options: DeploymentOptions = {}): Promise<Deployment> {
    // Short, because a Unix socket's path has 108 bytes.
    const folder = mkdtempSync(path.join(tmpdir(), 'cd-'));
    chmodSync(folder, 0o755);
    const deployment = new Deployment(folder, options);
    for (const dir of [deployment.home, deployment.runtime, deployment.workspace]) {
      mkdirSync(dir, { mode: 0o700 });
      if (options.as !== undefined) chownSync(dir, options.as.uid, options.as.gid);
    }
    if (options.as !== undefined) mkdirSync(deployment.#checkout);
    options.disk?.attach(deployment.home);
    writeFileSync(path.join(folder, 'relay.yaml'), 'version: 1\nsockets: relay\n', { mode: 0o644 });
    if (options.destinations !== undefined) {
      writeFileSync(deployment.#destinations, JSON.stringify(options.destinations), { mode: 0o644 });
    }
    const started = await deployment.up();
    if (started.status !== 0) {
      const log = deployment.log();
      options.disk?.detach();
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`cordon up ended with ${started.status}: ${started.stderr}\n${log}`);
    }
    return deployment;
  }

  get #destinations(): string {
    return path.join(this.folder, 'destinations.json');
  }

  /** `cordon up`, as at the start: also after the daemon was killed. */
  up(options: RunOptions = {}): Promise<Run> {
    const testing = this.#options.destinations === undefined ? [] : ['--testing-destinations', this.#destinations];
    return this.cordon(['up', ...testing], options);
  }

  /** Runs the command line to its end. */
  cordon(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    return this.#end(this.background(args, options), options);
  }

  #end(child: ChildProcess, options: RunOptions): Promise<Run> {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? commandTimeoutMs);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ status, stdout, stderr });
      });
    });
  }

  /** Starts the command line and leaves it running; `closed` is its exit status, whenever it ended. */
  background(args: readonly string[], options: RunOptions = {}): BackgroundRun {
    const isRelayed = this.#options.sockets === 'relay' && args[0] === 'run' && !args.includes('--policy');
    const way = isRelayed ? ['--policy', path.join(this.folder, 'relay.yaml')] : [];
    return this.#spawn([...this.#commandLine(), ...args.slice(0, 1), ...way, ...args.slice(1)], options);
  }

  #spawn(command: readonly string[], options: RunOptions): BackgroundRun {
    const [file = '', ...rest] = this.#as === undefined ? command : this.#asUser(this.#as, command);
    const child = spawn(file, rest, {
      cwd: options.cwd ?? this.workspace,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        HOME: this.folder,
        CORDON_HOME: this.home,
        CORDON_RUNTIME_DIR: this.runtime,
        ...options.env,
      },
    });
    return Object.assign(child, { closed: new Promise<number | null>((resolve) => child.on('close', resolve)) });
  }

  #commandLine(): string[] {
    const node = this.#options.node ?? path.join(this.#checkout, path.relative(root, process.execPath));
    return [node, path.join(this.#checkout, program)];
  }

  /** Where the user finds the checkout: it may lie in a folder of root's, which others may not enter. */
  get #checkout(): string {
    return this.#as === undefined ? root : path.join(this.folder, 'checkout');
  }

  #asUser(as: { readonly uid: number; readonly gid: number }, command: readonly string[]): string[] {
    const mounted = [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      'mount --bind "$0" "$1" && shift && exec "$@"',
    ];
    const user = ['setpriv', `--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups'];
    return [...mounted, root, this.#checkout, ...user, ...command];
  }

  /** Runs a shell line on a pseudo-terminal of its own; CORDON in it stands for the command line. */
  onTerminal(line: string, options: RunOptions = {}): Promise<Run> {
    const cordon = this.#commandLine().join(' ');
    return this.#end(this.#spawn(['script', '-qec', line.replace('CORDON', cordon), '/dev/null'], options), options);
  }

  /** `cordon run` of a shell script, with the options in front. */
  sh(script: string, options: readonly string[] = [], more: RunOptions = {}): Promise<Run> {
    return this.cordon(['run', '--quiet', ...options, '--', '/bin/sh', '-c', script], more);
  }

  sdk(): Cordon {
    return connect({ socket: path.join(this.runtime, 'api.sock') });
  }

  /** Every recorded decision, as `cordon logs --json` prints them. */
  async decisions(): Promise<Array<Record<string, unknown>>> {
    const { stdout } = await this.cordon(['logs', '--json']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  log(): string {
    try {
      return readdirSync(path.join(this.home, 'log'))
        .map((name) => `--- ${name}\n${readFileSync(path.join(this.home, 'log', name), 'utf8').slice(-4000)}`)
        .join('\n');
    } catch {
      return '(no log)';
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

  async [Symbol.asyncDispose](): Promise<void> {
    const down = await this.cordon(['down']);
    const log = this.log();
    const deadline = performance.now() + 5000;
    while (this.processes().length > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const left = this.processes();
    for (const pid of left) process.kill(pid, 'SIGKILL');
    if (left.length === 0) this.#options.disk?.detach();
    const mounts = this.mounts();
    rmSync(this.folder, { recursive: true, force: true });
    if (down.status !== 0 || left.length > 0 || mounts.length > 0) {
      throw new Error(
        `not everything ended: down ${down.status} ${down.stderr}, processes ${left.join(' ')}, mounts ${mounts.join(' ')}\n${log}`,
      );
    }
  }
}
