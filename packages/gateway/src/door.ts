import { assertNever, type ServeMessage } from '@cordon/protocol';
import type { NameServer } from './capture/name-server.ts';
import { GatewayError } from './error.ts';
import type { GatewayLimits } from './limits.ts';
import { type Answering, Datagrams } from './listen/datagrams.ts';
import { type Accepting, Listener } from './listen/listener.ts';
import { RelayServer } from './listen/relay-server.ts';
import { serveDatagrams } from './listen/relayed-datagrams.ts';
import type { Service } from './service.ts';
import type { Session } from './session/session.ts';

/** One socket of a sandbox, being served. */
export interface Door {
  close(): Promise<void>;
}

export interface DoorParts {
  readonly session: Session;
  readonly names: NameServer;
  readonly service: Service;
  readonly limits: GatewayLimits;
  /** Settles when questions about this session can be decided. */
  readonly policyArrived: () => Promise<void>;
}

/** The sockets of one session, each by the descriptor that came with its message or by the session's relay. */
export class Doors {
  readonly #parts: DoorParts;
  readonly #open = new Map<string, Door>();
  #relay: Promise<RelayServer> | null = null;

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  get count(): number {
    return this.#open.size;
  }

  /** @throws GatewayError `message-malformed` */
  async serve(message: ServeMessage, handle: unknown): Promise<void> {
    const name = `${message.kind} ${message.address} ${message.port}`;
    const before = this.#open.get(name);
    // The supervisor may hand the same socket over again after its own restart.
    this.#open.delete(name);
    void before?.close();
    const door = await this.#serve(message, await this.#wayOf(message, handle));
    if (this.#parts.session.closed) return void door.close();
    this.#open.set(name, door);
  }

  async close(): Promise<void> {
    const closing = [...this.#open.values()].map((door) => door.close());
    this.#open.clear();
    const relay = this.#relay;
    this.#relay = null;
    // One that could not be opened was reported then.
    if (relay !== null) closing.push(relay.then((server) => server.close()).catch(() => undefined));
    await Promise.all(closing);
  }

  async #serve(message: ServeMessage, way: Way): Promise<Door> {
    const { session, names, service, limits, policyArrived } = this.#parts;
    const open = (accepted: Accepting['accepted'], speaksHttp = false): Promise<Door> =>
      way.listen({ session, speaksHttp, limits, accepted });
    switch (message.kind) {
      case 'proxy':
      case 'http':
      case 'tls': {
        const { kind } = message;
        return open((socket) => service.accept(session, kind, socket), kind !== 'tls');
      }
      case 'capture':
        if (familyOf(message) === 6) names.hasV6 = true;
        return open((socket, local) => service.acceptCaptured(session, names, socket, local));
      case 'tcp': {
        const { grant } = message;
        if (grant === undefined) throw new GatewayError('message-malformed', 'a tcp socket stands for no grant');
        return open((socket) => service.acceptTcp(session, grant, socket));
      }
      case 'names':
        return way.answer({
          waitingMax: limits.nameQueriesWaitingMax,
          answer: async (bytes) => {
            await policyArrived();
            return session.closed ? null : names.answer(bytes);
          },
        });
      default:
        return assertNever(message.kind, 'socket kind');
    }
  }

  async #wayOf(message: ServeMessage, handle: unknown): Promise<Way> {
    const { limits } = this.#parts;
    const { relay } = message;
    if (relay !== undefined) {
      this.#relay ??= RelayServer.open(relay, limits);
      const server = await this.#relay;
      return {
        listen: (accepting) => Promise.resolve(server.listen(relay.ticket, accepting)),
        answer: (answering) =>
          server.take(relay.ticket, (socket) => serveDatagrams(socket, answering, limits.relayDatagramBytesMax)),
      };
    }
    if (typeof handle !== 'object' || handle === null) {
      throw new GatewayError('message-malformed', 'a serve message came without its socket');
    }
    return {
      listen: (accepting) => Listener.open(handle, accepting),
      answer: (answering) => new Datagrams(handle, familyOf(message), answering),
    };
  }
}

/** How connections and datagrams come here. */
interface Way {
  readonly listen: (accepting: Accepting) => Promise<Door>;
  readonly answer: (answering: Answering) => Door;
}

function familyOf({ address }: ServeMessage): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
