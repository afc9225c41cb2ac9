import type { Duplex } from 'node:stream';
import type { Place } from '../http/head.ts';
import type { Session } from '../session/session.ts';
import type { Reply } from './wire.ts';

/** One HTTP conversation: a socket of a session, or the TLS socket that was terminated on one. */
export class Connection {
  readonly id: string;
  readonly session: Session;
  readonly place: Place;
  readonly socket: Duplex;
  /** Requests that were read and not yet answered; more than one means that the client pipelines. */
  pending = 0;
  /** The answer under way. */
  response: Reply | null = null;
  /** After CONNECT the socket belongs to what speaks inside it. */
  detached = false;
  /** Refused in a way that ends the connection; requests that were already read behind it are not looked at. */
  ended = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(id: string, session: Session, place: Place, socket: Duplex) {
    this.id = id;
    this.session = session;
    this.place = place;
    this.socket = socket;
  }

  /**
   * Runs one request after the other. INVARIANT: the second request of a connection is not looked at before the first
   * was answered, so what it finds cannot depend on a race; meanwhile the socket is not read.
   */
  inTurn(work: () => Promise<void>): void {
    this.pending += 1;
    if (this.pending > 1) this.socket.pause();
    this.#turn = this.#turn.then(async () => {
      try {
        if (!this.ended && !this.socket.destroyed) await work();
      } catch {
        // `work` answers and records its own faults; one that escapes ends the connection (I3).
        this.socket.destroy();
      } finally {
        this.pending -= 1;
        this.response = null;
        if (this.pending <= 1 && !this.detached && !this.socket.destroyed) this.socket.resume();
      }
    });
  }
}
