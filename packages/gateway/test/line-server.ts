import { createServer, type Server, type Socket } from 'node:net';

/** A server of another protocol: answers each line in capitals, and may speak first, as mail and database servers do. */
export class LineServer implements AsyncDisposable {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  connections = 0;
  received = '';

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

  static async start(greeting = ''): Promise<LineServer> {
    const server = new LineServer(greeting);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
