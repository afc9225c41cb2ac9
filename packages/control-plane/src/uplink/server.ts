import { createServer, type Server, type Socket } from 'node:net';
import type { ChannelStream } from '@cordon/protocol';
import { limits } from '../limits.ts';
import { listenAt } from '../listen.ts';

/** The private socket that gateways connect to (0600, in a 0700 folder: only our own processes reach it). */
export class UplinkServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  constructor(accept: (stream: ChannelStream) => void) {
    this.#server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      this.#open.add(socket);
      socket.once('close', () => this.#open.delete(socket));
      accept(socket);
    });
    this.#server.maxConnections = limits.uplinkConnectionsMax;
  }

  listen(path: string): Promise<void> {
    return listenAt(this.#server, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}
