import { type ClientHttp2Session, connect as connectH2, type OutgoingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { h2 } from '@cordon/testkit/hostile';

export interface H2Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  /** Names and values in turn, as they came. */
  readonly raw: readonly string[];
  readonly body: string;
  readonly json: { readonly [key: string]: unknown };
  readonly trailers: readonly string[];
  /** How the stream ended; 0: in order. */
  readonly error: number;
}

/** CONNECT through the proxy, then TLS that offers these protocols. */
export async function tlsThrough(
  port: number,
  options: { readonly target: string; readonly servername?: string; readonly ca: string; readonly alpn?: string[] },
): Promise<TLSSocket> {
  const { target, ca, alpn = ['h2'] } = options;
  const outer = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  outer.on('error', () => undefined);
  outer.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const first = await new Promise<Buffer>((resolve, reject) => outer.once('data', resolve).once('close', reject));
  if (!first.toString().startsWith('HTTP/1.1 200')) throw new Error(first.toString());
  const servername = options.servername ?? target.split(':')[0] ?? '';
  const tls = connectTls({ socket: outer, ca, servername, ALPNProtocols: alpn });
  await new Promise((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  tls.on('error', () => undefined);
  return tls;
}

/** Node's own HTTP/2 client, in the gateway's proxy. */
export class H2Client implements Disposable {
  readonly session: ClientHttp2Session;
  readonly socket: TLSSocket;

  private constructor(session: ClientHttp2Session, socket: TLSSocket) {
    this.session = session;
    this.socket = socket;
    session.on('error', () => undefined);
  }

  static async through(port: number, target: string, ca: string): Promise<H2Client> {
    const socket = await tlsThrough(port, { target, ca });
    return new H2Client(
      connectH2(`https://${target.replace(/:443$/, '')}`, { createConnection: () => socket }),
      socket,
    );
  }

  ask(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<H2Answer> {
    const stream = this.session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    return new Promise((resolve) => {
      let answer: Pick<H2Answer, 'status' | 'headers' | 'raw'> = { status: 0, headers: new Map(), raw: [] };
      let trailers: readonly string[] = [];
      const chunks: Buffer[] = [];
      stream.on('response', (fields, _flags, raw: string[]) => {
        const headers = new Map(Object.entries(fields).map(([name, value]) => [name, String(value)]));
        answer = { status: Number(fields[':status']), headers, raw };
      });
      stream.on('trailers', (_fields, _flags, raw?: string[]) => {
        trailers = raw ?? [];
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', () => undefined);
      stream.on('close', () => {
        const text = Buffer.concat(chunks).toString('latin1');
        resolve({ ...answer, body: text, json: toJson(text), trailers, error: stream.rstCode ?? 0 });
      });
    });
  }

  [Symbol.dispose](): void {
    this.session.destroy();
    this.socket.destroy();
  }
}

function toJson(text: string): { readonly [key: string]: unknown } {
  try {
    return JSON.parse(text) as { readonly [key: string]: unknown };
  } catch {
    return {};
  }
}

/** Sends exactly these frames and shows exactly the frames that come back. */
export class RawH2 implements Disposable {
  readonly socket: TLSSocket;
  readonly frames: h2.Frame[] = [];
  ended = false;
  #rest = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const bytes = Buffer.concat([this.#rest, chunk]);
      const { frames, length } = h2.readFrames(bytes);
      this.#rest = bytes.subarray(length);
      this.frames.push(...frames);
    });
    const end = (): void => {
      this.ended = true;
    };
    socket.on('end', end);
    socket.on('close', end);
  }

  static async through(port: number, target: string, ca: string): Promise<RawH2> {
    return new RawH2(await tlsThrough(port, { target, ca }));
  }

  /** Resolves when it is written, or when the other side has closed. */
  send(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('close', done);
        resolve();
      };
      this.socket.once('close', done);
      if (this.socket.destroyed) done();
      else this.socket.write(bytes, done);
    });
  }

  /** Error code of the RST_STREAM that ended it, 0 where its last frame ended it in order, null while it is open. */
  endOf(stream: number): number | null {
    for (const frame of this.frames) {
      if (frame.stream !== stream) continue;
      if (frame.type === h2.frameType.rstStream) return frame.payload.readUInt32BE(0);
      const ends = frame.type === h2.frameType.headers || frame.type === h2.frameType.data;
      if (ends && (frame.flags & h2.flag.endStream) !== 0) return h2.errorCode.none;
    }
    return null;
  }

  get goaway(): number | null {
    const frame = this.frames.find(({ type }) => type === h2.frameType.goaway);
    return frame?.payload.readUInt32BE(4) ?? null;
  }

  /** The body of the answer on a stream. */
  bodyOf(stream: number): string {
    const parts = this.frames.filter((frame) => frame.type === h2.frameType.data && frame.stream === stream);
    return Buffer.concat(parts.map(({ payload }) => payload)).toString('latin1');
  }

  async until(condition: () => boolean, ms = 10_000): Promise<void> {
    const deadline = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > deadline)
        throw new Error(`waited ${ms} ms; last frames ${JSON.stringify(this.frames.slice(-5))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
