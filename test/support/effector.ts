import { type ChildProcess, spawn } from 'node:child_process';
import { createPrivateKey, hash, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { canonicalize, type RecordValue } from '@cordon/protocol';
import type { IssuedCertificate } from '@cordon/testkit';

const root = path.resolve(import.meta.dirname, '../..');

export interface EffectorAnswer {
  readonly status: number;
  readonly body: { readonly error?: string; readonly [name: string]: unknown };
}

/** A request as it reached the effector's door: what a thief on the way would have. */
export interface Caught {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface EffectorOptions {
  readonly keys: string;
  readonly state: string;
  readonly origin?: string;
  readonly audience?: string;
  /** Cordon's API, which is then asked about sessions. */
  readonly cordon?: string;
}

/** `examples/effector` as a process of its own, as a person would start it. */
export class Effector implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start({ keys, state, origin, audience, cordon }: EffectorOptions): Promise<Effector> {
    const args = ['--keys', keys, '--state', state, '--listen', '127.0.0.1:0'];
    const named = ['--origin', origin ?? 'https://payments.example:443', '--audience', audience ?? 'payments'];
    if (cordon !== undefined) named.push('--cordon', cordon);
    const child = spawn(process.execPath, [path.join(root, 'examples/effector/main.ts'), ...args, ...named], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      child.once('exit', (status) => reject(new Error(`the effector ended with ${status}`)));
    });
    return new Effector(child, Number(/"port":(\d+)/.exec(said)?.[1]));
  }

  /** One request, exactly as it is given. */
  ask({ method, target, rawHeaders, body }: Caught): Promise<EffectorAnswer> {
    return new Promise((resolve, reject) => {
      const headers = [...rawHeaders, 'Content-Length', String(body.length), 'Connection', 'close'];
      const options = { host: '127.0.0.1', port: this.port, method, path: target, headers, agent: false };
      const sent = request(options, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** A TLS terminator before the effector. It sees everything, and keeps what it is told to keep. */
export class Door implements AsyncDisposable {
  readonly caught: Caught[] = [];
  /** While false, requests are answered here and go no further. */
  open = true;
  effector: Effector;
  readonly #server: Server;

  private constructor(server: Server, effector: Effector) {
    this.#server = server;
    this.effector = effector;
  }

  static async start(tls: IssuedCertificate, effector: Effector): Promise<Door> {
    const server = createServer(tls, async (incoming, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
      const { method = '', url: target = '' } = incoming;
      const ofTheHop = new Set(['content-length', 'connection', 'transfer-encoding']);
      const rawHeaders = incoming.rawHeaders.filter(
        (_, i) => !ofTheHop.has((incoming.rawHeaders[i - (i % 2)] ?? '').toLowerCase()),
      );
      const caught = { method, target, rawHeaders, body: Buffer.concat(chunks) };
      door.caught.push(caught);
      const answer = door.open ? await door.effector.ask(caught) : { status: 202, body: { stolen: true } };
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
    const door = new Door(server, effector);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Reads and writes tokens without the code under test. */
export const jws = {
  encode: (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : canonicalize(value as RecordValue)).toString('base64url'),
  read(token: string): { header: Record<string, unknown>; claims: Record<string, unknown>; signature: string } {
    const [header = '', claims = '', signature = ''] = token.split('.');
    const json = (part: string): Record<string, unknown> => JSON.parse(Buffer.from(part, 'base64url').toString());
    return { header: json(header), claims: json(claims), signature };
  },
  /** ES256 with a private key in PEM. */
  sign(pem: string, header: unknown, claims: unknown): string {
    const input = `${jws.encode(header)}.${jws.encode(claims)}`;
    const key = { key: createPrivateKey(pem), dsaEncoding: 'ieee-p1363' } as const;
    return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`;
  },
};

/** The caught request with other things in it. */
export function changed(caught: Caught, change: Partial<Caught> & { headers?: Record<string, string | null> }): Caught {
  const { headers = {}, ...rest } = change;
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  const kept = caught.rawHeaders.filter(
    (_, i) => !names.includes((caught.rawHeaders[i - (i % 2)] ?? '').toLowerCase()),
  );
  const added = Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [name, value]));
  return { ...caught, rawHeaders: [...kept, ...added], ...rest };
}

export function tokenOf(caught: Caught): string {
  const at = caught.rawHeaders.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === 'cordon-permit');
  return caught.rawHeaders[at + 1] ?? '';
}

export function thumbprint(jwk: { readonly x: string; readonly y: string }): string {
  return hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x: jwk.x, y: jwk.y }), 'base64url');
}

export function linesOf(file: string): unknown[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  } catch {
    return [];
  }
}
