import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SessionRequest } from '@cordon/protocol';
import {
  destinationsOf,
  type HttpAnswer,
  type HttpRecord,
  HttpSink,
  SwitchingSink,
  TcpSink,
  TestCa,
  UdpSink,
} from '@cordon/testkit';
import { Deployment } from './deployment.ts';
import { escaped } from './error.ts';
import type { Run, SessionOptions, Underway } from './run.ts';

const probeProgram = path.resolve(import.meta.dirname, '../../../native/probe/build/probe');

/** The host name that the field's policy grants for GET of `/open/**`; everything else is denied. */
export const grantedHost = 'granted.example';

/** A server of WebSockets; a case that wants one grants it. */
export const liveHost = 'live.example';

/** A secret that a session's policy may bind; its value must never be seen inside. */
export const boundSecret = { name: 'field', value: 'sk-field-7d1e93c05b2a4f68' } as const;

export interface FieldOptions {
  /** Ends what runs, e.g. at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Opens two ways on purpose, so that the judges have something to find. */
  readonly planted: boolean;
}

interface Parts {
  readonly options: FieldOptions;
  readonly deployment: Deployment;
  readonly outside: string;
  readonly secret: string;
  readonly victim: ChildProcess;
  readonly tcp: TcpSink;
  readonly tcp6: TcpSink;
  readonly udp: UdpSink;
  readonly granted: HttpSink;
  readonly live: SwitchingSink;
  readonly sockets: readonly Server[];
}

/**
 * What an attack is aimed at, all outside the sandbox: a secret file, a folder to write to, servers that record what
 * reaches them, Unix sockets, a process. Cases are judged by looking at these, not by what the attack says of itself.
 */
export class Field implements AsyncDisposable {
  readonly deployment: Deployment;
  readonly outside: string;
  readonly secret: string;
  readonly tcp: TcpSink;
  readonly tcp6: TcpSink;
  readonly udp: UdpSink;
  readonly granted: HttpSink;
  readonly live: SwitchingSink;
  /** Promised layers that do not work here and that the sessions do without. */
  readonly missing: readonly string[];
  readonly #parts: Parts;
  socketConnections = 0;

  private constructor(parts: Parts, missing: readonly string[]) {
    this.#parts = parts;
    this.deployment = parts.deployment;
    this.outside = parts.outside;
    this.secret = parts.secret;
    this.tcp = parts.tcp;
    this.tcp6 = parts.tcp6;
    this.udp = parts.udp;
    this.granted = parts.granted;
    this.live = parts.live;
    this.missing = missing;
    for (const server of parts.sockets) {
      server.on('connection', (connection) => {
        this.socketConnections++;
        connection.destroy();
      });
    }
  }

  static async open(options: FieldOptions): Promise<Field> {
    const ca = new TestCa('Cordon attack root');
    const granted = await HttpSink.start({
      tls: ca.issue([grantedHost]),
      answer: answerOf,
    });
    const live = await SwitchingSink.start(ca.issue([liveHost]));
    const outside = mkdtempSync(path.join(tmpdir(), 'cf-'));
    chmodSync(outside, 0o777); // whoever gets here may write: only the boundary keeps the attack out
    const deployment = await Deployment.start(
      destinationsOf({ [grantedHost]: granted.port, [liveHost]: live.port }, ca),
      {
        signal: options.signal,
        agent: path.join(outside, 'daemon.sock'),
      },
    );
    const secret = `canary-${randomBytes(8).toString('hex')}`;
    writeFileSync(path.join(outside, 'secret'), secret, { mode: 0o644 });
    await deployment.api.setSecret(boundSecret.name, boundSecret.value);
    fill(deployment.workspace);
    const sockets = await Promise.all(
      [
        path.join(outside, 'daemon.sock'),
        path.join(deployment.workspace, 'daemon.sock'), // the same daemon's second door, in the workspace
        `\0${abstractName(outside)}`,
      ].map(listening),
    );
    for (const folder of [outside, deployment.workspace]) chmodSync(path.join(folder, 'daemon.sock'), 0o777);
    const parts: Parts = {
      options,
      deployment,
      outside,
      secret,
      granted,
      live,
      sockets,
      victim: spawn('/bin/sleep', ['infinity'], { stdio: 'ignore' }),
      tcp: await TcpSink.start(0, '127.0.0.1'),
      tcp6: await TcpSink.start(0, '::1'),
      udp: await UdpSink.start({}),
    };
    const missing = (await deployment.doctor()).filter(({ works }) => !works).map(({ name }) => name);
    return new Field(parts, missing);
  }

  get abstractName(): string {
    return abstractName(this.outside);
  }

  /** A process outside that must go on whatever is done inside. */
  get victim(): number {
    return this.#parts.victim.pid ?? 0;
  }

  /** Runs a script inside, with the field's grant, and reports what it said. */
  attack(
    script: string,
    options: SessionOptions = {},
    during?: (field: Field, underway: Underway) => Promise<void>,
  ): Promise<Run> {
    return this.deployment.run(
      script,
      {
        workspaceMode: 'proposal',
        ...(this.#parts.options.planted ? { policy: planted(this.outside) } : {}),
        ...(this.missing.includes('cgroups') ? { allowWeaker: ['cgroups'] } : {}),
        ...options,
        allow: [`${grantedHost}/open/**`, ...(options.allow ?? [])],
      },
      during === undefined ? undefined : (underway) => during(this, underway),
    );
  }

  /** The workspace as it was, after a case that applies what it proposed. */
  resetWorkspace(): void {
    for (const name of readdirSync(this.deployment.workspace).filter((each) => each !== 'daemon.sock'))
      rmSync(path.join(this.deployment.workspace, name), { recursive: true, force: true });
    fill(this.deployment.workspace);
  }

  /** What holds for every case. @throws AttackError `escaped` */
  judge(): void {
    if (this.#parts.victim.exitCode !== null || this.#parts.victim.signalCode !== null)
      throw escaped('a process outside was ended');
    if (!this.untouched()) throw escaped('the folder outside was changed');
    if (this.socketConnections > 0) throw escaped('a Unix socket of the host was reached');
    if (this.tcp.connections + this.tcp6.connections > 0) throw escaped('a TCP server outside was reached');
    if (this.udp.datagrams > 0) throw escaped('a UDP server outside was reached');
  }

  /** True when nothing of the outside folder was changed: no new file, and the secret as it was. */
  untouched(): boolean {
    return (
      readdirSync(this.outside).sort().join() === 'daemon.sock,secret' &&
      readFileSync(path.join(this.outside, 'secret'), 'utf8') === this.secret
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { sockets, victim } = this.#parts;
    victim.kill('SIGKILL');
    await Promise.all(sockets.map((server) => new Promise((resolve) => server.close(resolve))));
    for (const sink of [this.tcp, this.tcp6, this.udp, this.granted, this.live]) await sink[Symbol.asyncDispose]();
    rmSync(this.outside, { recursive: true, force: true });
    await this.deployment[Symbol.asyncDispose]();
  }
}

function abstractName(outside: string): string {
  return `cordon-field-${path.basename(outside)}`;
}

function fill(workspace: string): void {
  copyFileSync(probeProgram, path.join(workspace, 'probe'));
  chmodSync(path.join(workspace, 'probe'), 0o755);
  writeFileSync(path.join(workspace, 'kept'), 'kept\n');
}

/** What the granted server does: it redirects where it is told to, and gives back what it was sent. */
function answerOf({ target, headers }: HttpRecord): HttpAnswer {
  const url = new URL(target, `https://${grantedHost}`);
  const to = url.searchParams.get('to');
  if (url.pathname === '/open/redirect' && to !== null) return { status: 302, headers: { location: to } };
  if (url.pathname === '/open/reflect') return { status: 200, body: JSON.stringify(headers) };
  return { status: 200, body: 'granted' };
}

function listening(name: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(name, () => resolve(server));
  });
}

/** A policy that shows the secret's folder and grants more of the host than the cases expect. */
function planted(outside: string): NonNullable<SessionRequest['policy']> {
  return {
    name: 'planted.yaml',
    text: JSON.stringify({ version: 1, readOnly: [outside], grants: [{ allow: `${grantedHost}/closed` }] }),
  };
}
