import { createServer, type Server, type Socket } from 'node:net';
import { closeServer, listenOnLoopback } from '../listen.ts';

/** A server of another protocol: answers each line in capitals, and may speak first, as mail and database servers do. */
export class LineSink implements AsyncDisposable {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  connections = 0;
  received = '';
  #port = 0;

  private constructor(greeting: string) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.sockets.delete(socket));
      if (greeting !== '') socket.write(greeting);
      socket.on('data', (chunk: Buffer) => {
        const text = chunk.toString('latin1');
        this.received += text;
        socket.write(text.toUpperCase());
      });
      socket.once('end', () => socket.end('BYE\n'));
    });
  }

  static async start(greeting = ''): Promise<LineSink> {
    const sink = new LineSink(greeting);
    sink.#port = await listenOnLoopback(sink.#server);
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await closeServer(this.#server);
  }
}
