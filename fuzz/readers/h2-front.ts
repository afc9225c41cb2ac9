import { systemClock } from '@cordon/protocol';
import type { Place } from '../../packages/gateway/src/http/head.ts';
import type { WireHead } from '../../packages/gateway/src/http/wire-head.ts';
import { limits } from '../../packages/gateway/src/limits.ts';
import { Connection } from '../../packages/gateway/src/listen/connection.ts';
import { H2Front } from '../../packages/gateway/src/listen/h2-front.ts';
import type { Session } from '../../packages/gateway/src/session/session.ts';
import { MemorySocket } from './front.ts';

/** The gateway's own HTTP/2 side over connections in memory: what nghttp2 hands over of the bytes of one connection. */
export class MemoryH2Front implements Disposable {
  readonly #front: H2Front;
  #wires: WireHead[] = [];

  constructor() {
    this.#front = new H2Front({
      handlers: {
        request: async (_connection, { wire }, reply) => {
          this.#wires.push(wire);
          reply.destroy();
        },
        refused: () => undefined,
      },
      limits,
      clock: systemClock,
    });
  }

  async read(bytes: Buffer, place: Place): Promise<readonly WireHead[]> {
    this.#wires = [];
    const socket = new MemorySocket();
    // The session is only carried along; nothing in it is read.
    this.#front.attach(new Connection('c1', {} as Session, place, socket));
    socket.push(bytes);
    for (let turn = 0; turn < quietTurns; turn++) await new Promise(setImmediate);
    socket.destroy();
    await socket.ended;
    return this.#wires;
  }

  [Symbol.dispose](): void {
    this.#front[Symbol.dispose]();
  }
}

/** Turns of the event loop in which everything that has arrived is read. */
const quietTurns = 3;
