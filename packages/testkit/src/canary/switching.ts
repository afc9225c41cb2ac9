import { hash } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { closeServer, listenOnLoopback } from '../listen.ts';
import type { IssuedCertificate } from '../tls/ca.ts';

/** Agrees to every WebSocket handshake, and keeps what follows byte by byte, whether it is a frame or not. */
export class SwitchingSink implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();
  handshakes = 0;
  /** Behind the handshakes. */
  received: Buffer = Buffer.alloc(0);
  #port = 0;

  private constructor(certificate: IssuedCertificate) {
    this.#server = createServer(certificate, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#sockets.delete(socket));
      this.#converse(socket);
    });
  }

  static async start(certificate: IssuedCertificate): Promise<SwitchingSink> {
    const sink = new SwitchingSink(certificate);
    sink.#port = await listenOnLoopback(sink.#server);
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  #converse(socket: TLSSocket): void {
    let head = '';
    socket.on('data', (chunk: Buffer) => {
      if (head.endsWith('\r\n\r\n')) {
        this.received = Buffer.concat([this.received, chunk]);
        return;
      }
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.handshakes += 1;
      this.received = Buffer.concat([this.received, Buffer.from(head.slice(end + 4), 'latin1')]);
      head = head.slice(0, end + 4);
      const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? '';
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await closeServer(this.#server);
  }
}

/** RFC 6455 §4.2.2. */
function acceptOf(key: string): string {
  return hash('sha1', `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, 'base64');
}
