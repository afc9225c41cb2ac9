import { createServer, type Server, type Socket } from 'node:net';
import { type RelayedSocket, readRelayHeader, relayAccepted, type SocketPlace } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { type Accepting, admit } from './listener.ts';

/** Takes a connection of one socket of the sandbox; it was answered already. */
type Take = (socket: Socket, local: SocketPlace) => void;

/**
 * Where the relay of one session connects to, in place of the sockets themselves (decision 0048). Its folder is open to
 * this user alone, and of this user's programs only the relay knows the token: so the socket still is the session (I7).
 */
export class RelayServer {
  readonly #server: Server;
  readonly #takes = new Map<number, Take>();
  /** Not yet known to be the relay's. */
  readonly #unread = new Set<Socket>();

  private constructor(place: RelayedSocket, limits: GatewayLimits) {
    const token = Buffer.from(place.token, 'hex');
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#receive(socket, token, limits));
  }

  static async open(place: RelayedSocket, limits: GatewayLimits): Promise<RelayServer> {
    const relay = new RelayServer(place, limits);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', (cause) => {
        reject(new GatewayError('message-malformed', 'the relay’s socket cannot be listened on', { cause }));
      });
      relay.#server.listen({ path: place.path }, resolve);
    });
    relay.#server.on('error', () => undefined);
    return relay;
  }

  /** One socket of the session from now on; what is returned ends that. */
  listen(ticket: number, accepting: Accepting): { close(): Promise<void> } {
    return this.take(ticket, (socket, local) => admit(socket, local, accepting));
  }

  take(ticket: number, take: Take): { close(): Promise<void> } {
    this.#takes.set(ticket, take);
    return {
      close: () => {
        if (this.#takes.get(ticket) === take) this.#takes.delete(ticket);
        return Promise.resolve();
      },
    };
  }

  close(): Promise<void> {
    for (const socket of this.#unread) socket.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  async #receive(socket: Socket, token: Buffer, limits: GatewayLimits): Promise<void> {
    const broken = (): void => void socket.destroy();
    socket.on('error', broken);
    this.#unread.add(socket);
    const header = await readRelayHeader(socket, token, limits.relayHeaderTimeoutMs);
    this.#unread.delete(socket);
    const take = header === null ? undefined : this.#takes.get(header.ticket);
    // Unanswered, so a relay that is ours tries again: the sockets of a session come one after the other.
    if (take === undefined || header?.local == null || socket.destroyed) {
      socket.destroy();
      return;
    }
    socket.write(relayAccepted);
    take(socket, header.local);
  }
}
