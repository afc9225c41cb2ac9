import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { h2 } from '@cordon/testkit/hostile';
import { H2Client, RawH2 } from './h2-client.ts';
import { Rig, type RigOptions, upstreamCa } from './rig.ts';

export const host = 'api.example.com';
export const bigBytes = 3_000_000;
export const anything = { allow: `https://${host}`, methods: ['GET', 'HEAD', 'POST'] };

/** A server that speaks both versions: what it is asked, and what it answers by path. */
export class H2Server implements Disposable {
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly versions: string[] = [];
  /** Fields of each request, in order. */
  readonly heads: Array<Array<readonly [string, string]>> = [];
  /** Streams of `/held` and `/stream`, which are not ended. */
  readonly held: ServerHttp2Stream[] = [];
  cancelled = 0;

  private constructor() {
    const leaf = upstreamCa.issue([host]);
    this.#server = createSecureServer({ key: leaf.key, cert: leaf.cert, allowHTTP1: true });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('session', (each) => each.on('error', () => undefined));
    this.#server.on('request', (request, response) => {
      this.versions.push(request.httpVersion);
      const raw = request.rawHeaders;
      this.heads.push(raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as const] : [])));
      if (request.httpVersion === '1.1') response.end('one');
      // With these, `waitForTrailers` sends them.
      else response.addTrailers({ 'set-cookie': 'late=1' });
      if (request.httpVersion === '2.0')
        this.#answer(response.stream as ServerHttp2Stream, request.url, request.headers.authorization ?? '');
    });
  }

  static async start(): Promise<H2Server> {
    const made = new H2Server();
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  /** A gateway that reaches this server. */
  rig(options: RigOptions = {}): Promise<Rig> {
    const { port } = this.#server.address() as AddressInfo;
    return Rig.start({ grants: [anything], hosts: { [`${host}:443`]: port }, ...options });
  }

  reset(): void {
    this.versions.length = 0;
    this.heads.length = 0;
    this.held.length = 0;
    this.cancelled = 0;
  }

  breakOff(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #answer(stream: ServerHttp2Stream, path: string, credential: string): void {
    stream.on('error', () => undefined);
    if (path === '/held') {
      this.held.push(stream);
      stream.on('close', () => {
        this.cancelled += 1;
      });
      return;
    }
    if (path === '/echo') {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    } else if (path === '/stream') {
      stream.respond({ ':status': 200 });
      stream.write('first');
      this.held.push(stream);
    } else if (path === '/reflect') {
      stream.respond({ ':status': 200, 'x-echo': credential });
      stream.end(`<${credential}>`);
    } else if (path === '/big') {
      stream.respond({ ':status': 200, 'content-length': String(bigBytes) });
      stream.end(Buffer.alloc(bigBytes, 'b'));
    } else if (path === '/medium') {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(20_000, 'm'));
    } else if (path === '/fields') {
      const fields = [':status', '200', 'alt-svc', 'h3=":443"', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-y', 'z'];
      // A server may leave out its Date; `sendDate` is missing in Node's types.
      stream.respond(fields, { waitForTrailers: true, sendDate: false } as ServerStreamResponseOptions);
      stream.end('fields');
    } else {
      stream.respond({ ':status': path === '/none' ? 204 : 200 });
      stream.end(path === '/none' ? undefined : 'two');
    }
  }

  [Symbol.dispose](): void {
    this.breakOff();
    this.#server.close();
  }
}

export const client = (rig: Rig): Promise<H2Client> =>
  H2Client.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
export const rawClient = (rig: Rig): Promise<RawH2> =>
  RawH2.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
export const pseudo = (path: string, method = 'GET'): h2.Fields => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', host],
  [':path', path],
];
export const ask = (stream: number, path: string, ...fields: h2.Fields): Buffer =>
  h2.headers(stream, [...pseudo(path), ...fields]);
export const begin: Buffer = Buffer.concat([h2.hello, h2.settingsAck]);
