import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly json: { readonly [key: string]: unknown };
}

/** A client that sends exactly the bytes it is given and shows exactly the bytes that come back. */
export class RawClient implements Disposable {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  readonly #waiters = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    const end = (): void => {
      this.ended = true;
      this.#wake();
    };
    socket.on('end', end);
    socket.on('close', end);
  }

  static async to(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new RawClient(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Waits until the condition holds or the peer ends. */
  async until(condition: (text: string) => boolean, ms = 8_000): Promise<string> {
    const deadline = performance.now() + ms;
    for (;;) {
      const text = this.received.toString('latin1');
      if (condition(text)) return text;
      if (this.ended || performance.now() > deadline) return text;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 50);
        const waiters = this.#waiters;
        function done(): void {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        }
        waiters.add(done);
      });
    }
  }

  /** Everything until the peer ends the connection. */
  async rest(ms = 8_000): Promise<string> {
    await this.until(() => this.ended, ms);
    return this.received.toString('latin1');
  }

  /** One answer with Content-Length, chunked, or up to the end. */
  async answer(): Promise<Answer> {
    await this.until((text) => parse(text) !== null);
    const parsed = parse(this.received.toString('latin1')) ?? parse(`${this.received.toString('latin1')}`, true);
    if (parsed === null) throw new Error(`no answer: ${JSON.stringify(this.received.toString('latin1'))}`);
    this.received = this.received.subarray(parsed.length);
    return parsed.answer;
  }

  async ask(bytes: string | Buffer): Promise<Answer> {
    this.send(bytes);
    return await this.answer();
  }

  #wake(): void {
    for (const done of [...this.#waiters]) done();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

export interface ConnectOptions {
  readonly target: string;
  readonly servername?: string;
  readonly ca: string;
}

/** CONNECT through the proxy, then a real TLS client inside. */
export async function connectThrough(port: number, options: ConnectOptions): Promise<RawClient> {
  const outer = await RawClient.to(port);
  outer.send(`CONNECT ${options.target} HTTP/1.1\r\nHost: ${options.target}\r\n\r\n`);
  await outer.until((text) => text.includes('\r\n\r\n'));
  if (!outer.received.toString().startsWith('HTTP/1.1 200')) throw new Error(outer.received.toString());
  outer.socket.removeAllListeners('data');
  return secure(outer.socket, options.servername ?? options.target.split(':')[0] ?? '', options.ca);
}

/** TLS on a connected socket; `servername` '' sends no SNI. */
export async function secure(socket: Socket, servername: string, ca: string): Promise<RawClient> {
  const named = servername === '' ? { checkServerIdentity: () => undefined } : { servername };
  const tls = connectTls({ socket, ca, ...named });
  await new Promise((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return new RawClient(tls);
}

function parse(text: string, ended = false): { answer: Answer; length: number } | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [line = '', ...rest] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    rest.map((each) => [each.split(':')[0]?.toLowerCase() ?? '', each.slice(each.indexOf(':') + 1).trim()]),
  );
  const status = Number(line.split(' ')[1]);
  if (status === 100) {
    const final = parse(text.slice(end + 4), ended);
    return final === null ? null : { ...final, length: end + 4 + final.length };
  }
  const body = text.slice(end + 4);
  const length = headers.get('content-length');
  if (length !== undefined || status === 204 || status === 304) {
    const bytes = Number(length ?? 0);
    if (body.length < bytes) return null;
    return { answer: toAnswer(status, headers, body.slice(0, bytes)), length: end + 4 + bytes };
  }
  if (headers.get('transfer-encoding') === 'chunked') {
    const stop = body.indexOf('0\r\n\r\n');
    if (stop < 0) return null;
    return { answer: toAnswer(status, headers, unchunk(body.slice(0, stop))), length: end + 4 + stop + 5 };
  }
  return ended ? { answer: toAnswer(status, headers, body), length: text.length } : null;
}

function unchunk(body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const line = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, line), 16);
    if (!(size > 0)) break;
    out += body.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
  return out;
}

function toAnswer(status: number, headers: ReadonlyMap<string, string>, body: string): Answer {
  let json: { readonly [key: string]: unknown } = {};
  try {
    json = JSON.parse(body) as { readonly [key: string]: unknown };
  } catch {
    // Not every answer is JSON.
  }
  return { status, headers, body, json };
}
