import { createServer, type Server, type Socket } from 'node:net';
import { limits } from '../limits.ts';
import { closeServer, listenOnLoopback } from '../listen.ts';

/** Accepts any TCP connection and keeps the first bytes of each. */
export class TcpSink {
  readonly #server: Server;
  readonly #received: Buffer[] = [];
  readonly #open = new Set<Socket>();
  #connections = 0;
  #port = 0;

  private constructor() {
    this.#server = createServer((socket) => {
      const index = this.#connections;
      this.#connections += 1;
      this.#open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#open.delete(socket));
      socket.on('data', (chunk) => {
        if (index >= limits.recordsMax) return;
        const before = this.#received[index] ?? Buffer.alloc(0);
        this.#received[index] = Buffer.concat([before, chunk]).subarray(0, limits.sinkKeptBytesMax);
      });
    });
  }

  /** On a free loopback port, or on the given port and address (in a network namespace of the test's own). */
  static async start(port = 0, address = '127.0.0.1'): Promise<TcpSink> {
    const sink = new TcpSink();
    sink.#port = await listenOnLoopback(sink.#server, port, address);
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#connections;
  }

  /** First bytes of each connection that sent any. */
  get received(): readonly Buffer[] {
    return this.#received.filter((bytes) => bytes !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = closeServer(this.#server);
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}
