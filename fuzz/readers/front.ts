import { Duplex } from 'node:stream';
import type { Place } from '../../packages/gateway/src/http/head.ts';
import { limits } from '../../packages/gateway/src/limits.ts';
import { Connection } from '../../packages/gateway/src/listen/connection.ts';
import { HttpFront } from '../../packages/gateway/src/listen/front.ts';
import type { Incoming, Reply } from '../../packages/gateway/src/listen/wire.ts';
import type { Session } from '../../packages/gateway/src/session/session.ts';

/** One end of a connection in memory: gives what the other side sends, keeps what this side writes. */
export class MemorySocket extends Duplex {
  readonly written: Buffer[] = [];
  readonly ended: Promise<void>;

  constructor() {
    super({ allowHalfOpen: true });
    this.on('error', () => undefined);
    this.ended = new Promise((resolve) => this.once('close', resolve));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk);
    done();
  }

  override _final(done: () => void): void {
    done();
    this.destroy();
  }
  // What node:http asks of a socket.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
}

export interface FrontCalls {
  /** True: answered, go on with the next one; false: refused, the connection ends. */
  request(request: Incoming, response: Reply): Promise<boolean>;
  connect(wire: { readonly url: string }): void;
  refused(code: string): void;
}

/** The gateway's own front over connections in memory: node's parser as it is configured there, one request after the other. */
export class MemoryFront implements Disposable {
  readonly #front: HttpFront;
  #calls: FrontCalls | null = null;
  #fault: unknown = null;
  /** Requests that have all their bytes and are being worked on. */
  busy = 0;

  constructor() {
    this.#front = new HttpFront(
      {
        request: async (connection, request, response) => {
          try {
            if ((await this.#calls?.request(request, response)) === true) return;
          } catch (error: unknown) {
            // The front would end the connection and say nothing; here it is a finding.
            this.#fault ??= error;
          }
          connection.ended = true;
          connection.socket.destroy();
        },
        connect: async (_connection, wire, socket) => {
          this.#calls?.connect(wire);
          socket.destroy();
        },
        refused: (_connection, refusal) => this.#calls?.refused(refusal.code),
      },
      limits,
    );
  }

  /** Gives all bytes in pieces of the wanted sizes, then the end, and resolves when the connection is over. */
  async serve(bytes: Buffer, calls: FrontCalls, cut = 0): Promise<void> {
    this.#calls = calls;
    const socket = new MemorySocket();
    // The session is only carried along by the front; nothing in it is read before a request is served.
    this.#front.attach(new Connection('c1', {} as Session, place, socket));
    const first = cut === 0 ? bytes.length : cut % (bytes.length + 1);
    if (first > 0) socket.push(bytes.subarray(0, first));
    if (first < bytes.length) {
      await new Promise(setImmediate);
      if (!socket.destroyed) socket.push(bytes.subarray(first));
    }
    // A body that is not complete is waited for until the client ends, and work that is under way is not cut off by it.
    for (let quiet = 0; quiet < quietTurns && !socket.destroyed; quiet = this.busy > 0 ? 0 : quiet + 1) {
      await new Promise(setImmediate);
    }
    if (!socket.destroyed) socket.push(null);
    await socket.ended;
    // What is still being worked on belongs to this connection, not to the next one.
    while (this.busy > 0) await new Promise(setImmediate);
    this.#calls = null;
    const fault = this.#fault;
    this.#fault = null;
    if (fault !== null) throw fault;
  }

  [Symbol.dispose](): void {
    this.#front[Symbol.dispose]();
  }
}

/** Turns of the event loop in which everything that has arrived is read. */
const quietTurns = 4;
const place: Place = { kind: 'proxy' };
