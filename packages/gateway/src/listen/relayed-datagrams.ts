import type { Socket } from 'node:net';
import { type Answering, Answers } from './datagrams.ts';

/** In front of each: length u16, then where it came from, which only the relay reads: port u16, address 16 bytes. */
const headBytes = 20;

/** Cuts what a relay sends into datagrams; one that is longer than `bytesMax` is none. */
export class DatagramFrames {
  readonly #bytesMax: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Null: this is no relay of ours. */
  push(chunk: Buffer): Array<{ from: Buffer; bytes: Buffer }> | null {
    const whole = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames = [];
    let at = 0;
    while (whole.length - at >= headBytes) {
      const length = whole.readUInt16BE(at);
      if (length > this.#bytesMax) return null;
      const end = at + headBytes + length;
      if (end > whole.length) break;
      frames.push({ from: whole.subarray(at + 2, at + headBytes), bytes: whole.subarray(at + headBytes, end) });
      at = end;
    }
    this.#rest = Buffer.from(whole.subarray(at));
    return frames;
  }
}

/** As the `names` socket itself, over one connection of the relay. */
export function serveDatagrams(socket: Socket, answering: Answering, bytesMax: number): void {
  const answers = new Answers(answering);
  const frames = new DatagramFrames(bytesMax);
  socket.on('end', () => socket.destroy());
  socket.on('data', (chunk) => {
    const questions = frames.push(chunk);
    if (questions === null) {
      socket.destroy();
      return;
    }
    for (const { from, bytes } of questions) {
      answers.ask(bytes, (answer) => {
        // A relay that takes nothing loses answers, as any network may.
        if (socket.destroyed || socket.writableNeedDrain || answer.length > bytesMax) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, from, answer]));
      });
    }
  });
}
