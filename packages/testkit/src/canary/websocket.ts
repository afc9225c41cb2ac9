import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { closeServer, listenOnLoopback } from '../listen.ts';
import type { IssuedCertificate } from '../tls/ca.ts';

/** A WebSocket server that echoes, and does what its message says: `close:CODE:REASON`, `say:TEXT`, `drop`. */
export class WebSocketSink implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #raw = new Set<Socket>();
  readonly received: string[] = [];
  readonly requests: IncomingMessage[] = [];
  readonly closes: Array<{ readonly code: number; readonly reason: string }> = [];
  #port = 0;

  private constructor(certificate: IssuedCertificate | null) {
    this.#server = certificate === null ? createHttpServer() : createHttpsServer(certificate);
    this.#server.on('connection', (socket: Socket) => {
      this.#raw.add(socket);
      socket.once('close', () => this.#raw.delete(socket));
    });
    this.#sockets = new WebSocketServer({ server: this.#server as never, perMessageDeflate: true });
    this.#sockets.on('connection', (socket, request) => {
      this.requests.push(request);
      socket.on('error', () => undefined);
      socket.on('close', (code, reason) => this.closes.push({ code, reason: reason.toString() }));
      socket.on('message', (data: Buffer, binary: boolean) => {
        const text = data.toString('latin1');
        this.received.push(text);
        const [what, first = '', ...rest] = text.split(':');
        if (what === 'close') socket.close(Number(first), rest.join(':'));
        else if (what === 'drop') socket.terminate();
        else if (what === 'header') socket.send(String(request.headers[first]));
        else socket.send(data, { binary });
      });
    });
  }

  static async start(certificate: IssuedCertificate | null = null): Promise<WebSocketSink> {
    const sink = new WebSocketSink(certificate);
    sink.#port = await listenOnLoopback(sink.#server);
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  get open(): ReadonlySet<WebSocket> {
    return this.#sockets.clients;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    for (const socket of this.#raw) socket.destroy();
    this.#sockets.close();
    await closeServer(this.#server);
  }
}
