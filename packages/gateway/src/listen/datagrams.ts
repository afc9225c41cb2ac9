import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { ListenHandle } from './listener.ts';

/** The `names` socket of one session: a question in, at most one answer back to where it came from. */
export class Datagrams {
  readonly #socket: Socket;
  #waiting = 0;
  #closed = false;

  /**
   * `handle`: bound, as it came with a serve message (`dgram.Native`). `answer` may wait for a policy; what comes while
   * `waitingMax` questions do is dropped.
   */
  constructor(
    handle: ListenHandle,
    options: {
      readonly family: 4 | 6;
      readonly waitingMax: number;
      readonly answer: (bytes: Buffer) => Promise<Buffer | null>;
    },
  ) {
    this.#socket = createSocket(options.family === 4 ? 'udp4' : 'udp6');
    // An answer that cannot be sent is lost, as any datagram may be.
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (bytes, from) => {
      if (this.#waiting >= options.waitingMax) return;
      this.#waiting += 1;
      void this.#reply(options.answer(bytes), from);
    });
    // Node takes a handle that came over IPC in place of a port; its types leave it out.
    this.#socket.bind(handle as never);
  }

  async #reply(answer: Promise<Buffer | null>, from: RemoteInfo): Promise<void> {
    try {
      const bytes = await answer;
      if (bytes !== null && !this.#closed) this.#socket.send(bytes, from.port, from.address, () => undefined);
    } finally {
      this.#waiting -= 1;
    }
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
