import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { createId, type ExitReport, type StartOrder, systemClock, systemRandom } from '@cordon/protocol';
import { createProcessDriver, type Sandbox, type SandboxCommand, type SandboxSpec, sessionUids } from '@cordon/sandbox';

export const repository = path.resolve(import.meta.dirname, '../../../..');
export const launchBinary = path.join(repository, 'native/launch/build/launch');

/** A test that cannot run says why and fails; it never skips. */
export function requireHost(): void {
  if (process.geteuid?.() !== 0) throw new Error('these tests start real sandboxes as root: run them as root');
  if (!existsSync('/usr/bin/bwrap')) throw new Error('bubblewrap is missing: apt-get install bubblewrap');
  execFileSync(path.join(repository, 'native/launch/build.sh'), { stdio: 'inherit' });
}

export interface Given {
  readonly command: readonly string[];
  readonly mode?: 'direct' | 'proposal';
  readonly order?: Partial<StartOrder>;
  readonly resources?: Partial<StartOrder['resources']>;
  /** Another native program than ours. */
  readonly launch?: string;
  /** Runs before the start, with the workspace. */
  readonly prepare?: (workspace: string) => void;
}

/** Session folder and workspace beside each other below one temporary folder, as a host would have them. */
export class Place implements Disposable {
  readonly base = mkdtempSync('/var/tmp/cordon-test-');
  readonly workspace = path.join(this.base, 'workspace');
  readonly sessionDir: string;
  readonly session = createId('session', systemClock, systemRandom);

  constructor() {
    mkdirSync(this.workspace);
    this.sessionDir = path.join(this.base, 'home', 'sessions', this.session);
    mkdirSync(this.sessionDir, { recursive: true, mode: 0o700 });
  }

  [Symbol.dispose](): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

export function orderFor(place: Place, given: Given): StartOrder {
  return {
    tenant: 'test',
    session: place.session,
    agent: 'agent',
    driver: 'process',
    allowWeaker: [],
    command: given.command,
    cwd: place.workspace,
    env: {},
    terminal: null,
    workspace: { path: place.workspace, mode: given.mode ?? 'proposal' },
    readOnly: [],
    protectedPaths: [],
    files: [],
    hostNames: ['named.example'],
    resources: {
      cpuMillis: 2000,
      memoryBytes: 512 * 1024 * 1024,
      pidsMax: 200,
      diskBytes: 256 * 1024 * 1024,
      openFilesMax: 1024,
      ...given.resources,
    },
    seccomp: 'strict',
    caCertificate: '-----BEGIN CERTIFICATE-----\ndGVzdA==\n-----END CERTIFICATE-----\n',
    ttlMs: 60_000,
    ...given.order,
  };
}

/** `place`: where the sockets of a relay go. */
export function driver(place: Pick<Place, 'base'> = { base: '/nowhere' }) {
  const relays = path.join(place.base, 'relays');
  return createProcessDriver({ clock: systemClock, random: systemRandom, relays, launchBinary });
}

export function freshUid(): number {
  return sessionUids.min + (randomBytes(2).readUInt16LE() % sessionUids.count);
}

export function specFor(place: Place, given: Given): SandboxSpec {
  return { order: orderFor(place, given), sessionDir: place.sessionDir, uid: freshUid(), launchBinary };
}

/** A sandbox at its barrier, with its place; disposing tears both down. */
export async function start(given: Given): Promise<{ sandbox: Sandbox; place: Place } & AsyncDisposable> {
  const place = new Place();
  given.prepare?.(place.workspace);
  const spec = { ...specFor(place, given), ...(given.launch === undefined ? {} : { launchBinary: given.launch }) };
  const sandbox = await driver(place).start(spec, new AbortController().signal);
  return {
    sandbox,
    place,
    async [Symbol.asyncDispose]() {
      await sandbox.teardown();
      place[Symbol.dispose]();
    },
  };
}

export interface Ran {
  readonly exit: ExitReport;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts, opens, feeds `input`, and collects everything. */
export async function run(given: Given, input = ''): Promise<Ran> {
  await using started = await start(given);
  const collected = collect(started.sandbox.main);
  started.sandbox.main.stdin.end(input);
  await started.sandbox.open();
  return await collected;
}

/** A shell script inside. */
export function sh(script: string, given: Omit<Given, 'command'> = {}): Promise<Ran> {
  return run({ ...given, command: ['/bin/bash', '-c', script] });
}

export async function collect(command: SandboxCommand): Promise<Ran> {
  const [stdout, stderr, exit] = await Promise.all([text(command.stdout), text(command.stderr), command.exit]);
  return { exit, stdout, stderr };
}

export function text(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  return new Promise((resolve) => stream.once('close', () => resolve(Buffer.concat(parts).toString('utf8'))));
}

/** Resolves once the stream has said it. */
export function said(stream: Readable, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const listen = (chunk: Buffer): void => {
      heard += chunk.toString('utf8');
      if (!heard.includes(what)) return;
      stream.off('data', listen);
      resolve(heard);
    };
    stream.on('data', listen);
    stream.once('close', () =>
      reject(new Error(`closed after ${JSON.stringify(heard)}, without ${JSON.stringify(what)}`)),
    );
  });
}
