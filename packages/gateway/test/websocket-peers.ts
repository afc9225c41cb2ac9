import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import type { Rig } from './rig.ts';

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** A client of `ws`, as an agent would use it, that keeps what it gets. */
export class Client implements Disposable {
  readonly socket: WebSocket;
  readonly messages: string[] = [];
  readonly pings: number[] = [];
  status: number | null = null;
  body = '';
  headers: IncomingMessage['headers'] = {};
  #closed: Closed | null = null;
  #changed: () => void = () => undefined;

  constructor(
    url: string,
    duplex: Duplex,
    options: { readonly protocols?: string[]; readonly headers?: Record<string, string> },
  ) {
    this.socket = new WebSocket(url, options.protocols ?? [], {
      createConnection: () => duplex as Socket,
      headers: options.headers ?? {},
      // A real client offers it; we never agree.
      perMessageDeflate: true,
    });
    this.socket.on('error', () => undefined);
    this.socket.on('open', () => this.#changed());
    this.socket.on('upgrade', (answer) => {
      this.headers = answer.headers;
    });
    this.socket.on('ping', () => this.pings.push(performance.now()));
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(data.toString('latin1'));
      this.#changed();
    });
    this.socket.on('close', (code, reason) => {
      this.#closed = { code, reason: reason.toString() };
      this.#changed();
    });
    this.socket.on('unexpected-response', (_request, answer) => {
      this.status = answer.statusCode ?? 0;
      this.headers = answer.headers;
      answer.on('data', (chunk: Buffer) => {
        this.body += chunk.toString();
      });
      answer.on('close', () => {
        this.#closed = { code: 0, reason: '' };
        this.#changed();
      });
    });
  }

  async until(condition: () => boolean, ms = 8_000): Promise<void> {
    const end = performance.now() + ms;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited ${ms} ms; ${this.messages.length} messages`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  opened(): Promise<void> {
    return this.until(() => this.socket.readyState === WebSocket.OPEN);
  }

  async closed(): Promise<Closed> {
    await this.until(() => this.#closed !== null);
    return this.#closed ?? { code: 0, reason: '' };
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** CONNECT, and TLS inside where the scheme says so. */
export async function tunnelled(rig: Rig, url: URL): Promise<Duplex> {
  const secure = url.protocol === 'wss:';
  const target = `${url.hostname}:${url.port === '' ? (secure ? 443 : 80) : url.port}`;
  const socket = connect(rig.ports.proxy, '127.0.0.1');
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  if (!secure) return socket;
  const tls = connectTls({ socket, servername: url.hostname, ca: rig.ca.certificate });
  await new Promise((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return tls;
}

export async function dial(
  rig: Rig,
  url: string,
  options: { readonly protocols?: string[]; readonly headers?: Record<string, string>; readonly plain?: boolean } = {},
): Promise<Client> {
  const duplex = options.plain === true ? connect(rig.ports.http, '127.0.0.1') : await tunnelled(rig, new URL(url));
  // `createConnection` of a wss URL must give what TLS gives: it is that already.
  return new Client(url.replace(/^wss:/, 'ws:'), duplex, options);
}
