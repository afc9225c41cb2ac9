import { createSocket, type Socket } from 'node:dgram';
import type { ListenHandle } from './listener.ts';

export interface Answering {
  /** May wait for a policy; what comes while `waitingMax` questions do is dropped. */
  readonly answer: (bytes: Buffer) => Promise<Buffer | null>;
  readonly waitingMax: number;
}

/** A question in, at most one answer back to where it came from. */
export class Answers {
  readonly #options: Answering;
  #waiting = 0;

  constructor(options: Answering) {
    this.#options = options;
  }

  ask(question: Buffer, reply: (answer: Buffer) => void): void {
    if (this.#waiting >= this.#options.waitingMax) return;
    this.#waiting += 1;
    void this.#reply(this.#options.answer(question), reply);
  }

  async #reply(answer: Promise<Buffer | null>, reply: (answer: Buffer) => void): Promise<void> {
    try {
      const bytes = await answer;
      if (bytes !== null) reply(bytes);
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** The `names` socket of one session. */
export class Datagrams {
  readonly #socket: Socket;
  #closed = false;

  /** `handle`: bound, as it came with a serve message (`dgram.Native`). */
  constructor(handle: ListenHandle, family: 4 | 6, answering: Answering) {
    const answers = new Answers(answering);
    this.#socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    // An answer that cannot be sent is lost, as any datagram may be.
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (bytes, from) => {
      answers.ask(bytes, (answer) => {
        if (!this.#closed) this.#socket.send(answer, from.port, from.address, () => undefined);
      });
    });
    // Node takes a handle that came over IPC in place of a port; its types leave it out.
    this.#socket.bind(handle as never);
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
