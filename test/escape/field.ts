import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { destinationsOf, HttpSink, TcpSink, TestCa, UdpSink } from '@cordon/testkit';
import { Deployment, ordinaryUser, type Run } from '../support/deployment.ts';

/** The host name that the field's policy grants for GET of `/open/**`; everything else is denied. */
export const grantedHost = 'granted.example';

/**
 * What an attack is aimed at, all outside the sandbox: a secret file, a folder to write to, servers that record what
 * reaches them, a Unix socket, a process. Cases are judged by looking at these, not by what the attack says of itself.
 */
export class Field implements AsyncDisposable {
  readonly deployment: Deployment;
  readonly outside: string;
  readonly secret: string;
  readonly tcp: TcpSink;
  readonly tcp6: TcpSink;
  readonly udp: UdpSink;
  readonly granted: HttpSink;
  readonly #socket: Server;
  /** The same daemon's second door, in the workspace. */
  readonly #inner: Server;
  readonly #abstract: Server;
  socketConnections = 0;

  private constructor(parts: {
    deployment: Deployment;
    outside: string;
    secret: string;
    tcp: TcpSink;
    tcp6: TcpSink;
    udp: UdpSink;
    granted: HttpSink;
    socket: Server;
    inner: Server;
    abstract: Server;
  }) {
    this.deployment = parts.deployment;
    this.outside = parts.outside;
    this.secret = parts.secret;
    this.tcp = parts.tcp;
    this.tcp6 = parts.tcp6;
    this.udp = parts.udp;
    this.granted = parts.granted;
    this.#socket = parts.socket;
    this.#inner = parts.inner;
    this.#abstract = parts.abstract;
    for (const server of [parts.socket, parts.inner, parts.abstract]) {
      server.on('connection', (connection) => {
        this.socketConnections++;
        connection.destroy();
      });
    }
  }

  static async open(as: 'root' | 'ordinary'): Promise<Field> {
    const user = as === 'ordinary' ? ordinaryUser : undefined;
    const outside = mkdtempSync(path.join(tmpdir(), 'cf-'));
    chmodSync(outside, 0o777); // whoever gets here may write: only the boundary keeps the attack out
    const secret = `canary-${Math.random().toString(36).slice(2)}`;
    writeFileSync(path.join(outside, 'secret'), secret, { mode: 0o644 });
    const ca = new TestCa();
    const granted = await HttpSink.start({
      tls: ca.issue([grantedHost]),
      answer: () => ({ status: 200, body: 'granted' }),
    });
    const deployment = await Deployment.start({
      ...(user === undefined ? {} : { as: user }),
      destinations: destinationsOf({ [grantedHost]: granted.port }, ca),
    });
    buildProbe(path.join(deployment.workspace, 'probe'));
    writeFileSync(path.join(deployment.workspace, 'kept'), 'kept\n');
    if (user !== undefined) {
      for (const file of ['probe', 'kept']) chownSync(path.join(deployment.workspace, file), user.uid, user.gid);
    }
    const socket = createServer().listen(path.join(outside, 'daemon.sock'));
    const inner = createServer().listen(path.join(deployment.workspace, 'daemon.sock'));
    const abstract = createServer().listen(`\0cordon-field-${path.basename(outside)}`);
    await Promise.all(
      [socket, inner, abstract].map((server) => new Promise((resolve) => server.once('listening', resolve))),
    );
    for (const folder of [outside, deployment.workspace]) chmodSync(path.join(folder, 'daemon.sock'), 0o777);
    return new Field({
      deployment,
      outside,
      secret,
      granted,
      socket,
      inner,
      abstract,
      tcp: await TcpSink.start(0, '127.0.0.1'),
      tcp6: await TcpSink.start(0, '::1'),
      udp: await UdpSink.start({}),
    });
  }

  get abstractName(): string {
    return `cordon-field-${path.basename(this.outside)}`;
  }

  /** Runs a script inside, with the field's grant, and reports what it said. */
  attack(script: string, options: readonly string[] = []): Promise<Run> {
    return this.deployment.sh(script, [
      '--allow',
      `${grantedHost}/open/**`,
      ...(options.includes('--workspace-mode') ? [] : ['--workspace-mode', 'proposal']),
      ...options,
    ]);
  }

  /** True when nothing of the outside folder was changed: no new file, and the secret as it was. */
  untouched(): boolean {
    return (
      execFileSync('ls', ['-A', this.outside], { encoding: 'utf8' })
        .split('\n')
        .filter((name) => name !== '')
        .sort()
        .join() === 'daemon.sock,secret' && readFileSync(path.join(this.outside, 'secret'), 'utf8') === this.secret
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.#socket, this.#inner, this.#abstract].map((server) => new Promise((resolve) => server.close(resolve))),
    );
    for (const sink of [this.tcp, this.tcp6, this.udp, this.granted]) await sink[Symbol.asyncDispose]();
    await this.deployment[Symbol.asyncDispose]();
    rmSync(this.outside, { recursive: true, force: true });
  }
}

/** Compiled once per machine and version of its source; static, so that it runs in any root file system. */
function buildProbe(target: string): void {
  const source = path.join(import.meta.dirname, 'probe.c');
  const cache = path.resolve(import.meta.dirname, '../../.cache/probe');
  const built = path.join(cache, execFileSync('sha256sum', [source], { encoding: 'utf8' }).slice(0, 16));
  if (!existsSync(built)) {
    mkdirSync(cache, { recursive: true });
    const fresh = `${built}.${process.pid}`;
    execFileSync('gcc', ['-O1', '-static', '-Wall', '-o', fresh, source]);
    execFileSync('mv', [fresh, built]);
  }
  copyFileSync(built, target);
  chmodSync(target, 0o755);
}
