import { createServer, type Server, type Socket } from 'node:net';
import type { SocketPlace } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { answerRaw, problemOf } from '../refuse/answer.ts';
import { refuse } from '../refuse/refusal.ts';
import type { Session } from '../session/session.ts';

/** What `server.listen` takes: the raw handle that came with a serve message. */
export type ListenHandle = object;

/** Whose connections these are, and who takes them. */
export interface Accepting {
  readonly session: Session;
  readonly speaksHttp: boolean;
  readonly limits: GatewayLimits;
  /** `local`: the connection's own end in the sandbox; null when it is gone already. */
  readonly accepted: (socket: Socket, local: SocketPlace | null) => void;
}

/** One listening socket of one session. The session is known from here on, and from nothing that arrives (I7). */
export class Listener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(handle: ListenHandle, accepting: Accepting): Promise<Listener> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      const { localAddress: address, localPort: port } = socket;
      admit(socket, address === undefined || port === undefined ? null : { address, port }, accepting);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        reject(new GatewayError('message-malformed', 'the handed-over socket cannot be listened on', { cause }));
      });
      server.listen(handle, resolve);
    });
    // Later errors (no descriptors left) are met by refusing that one connection, never by ending the process.
    server.on('error', () => undefined);
    return new Listener(server);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

/** A connection of a session, however it came here. */
export function admit(socket: Socket, local: SocketPlace | null, accepting: Accepting): void {
  const { session, limits } = accepting;
  // INVARIANT: before anything else; an unhandled reset would end the process.
  socket.on('error', () => socket.destroy());
  if (session.closed) {
    socket.destroy();
    return;
  }
  if (session.sockets.size >= limits.connectionsPerSessionMax) {
    refuseConnection(socket, accepting.speaksHttp, limits);
    return;
  }
  session.sockets.add(socket);
  socket.once('close', () => session.sockets.delete(socket));
  accepting.accepted(socket, local);
}

/** So that the program sees that it was cut, where there is a way to say it: a relayed connection just ends. */
export function reset(socket: Socket): void {
  try {
    socket.resetAndDestroy();
  } catch {
    socket.destroy();
  }
}

function refuseConnection(socket: Socket, speaksHttp: boolean, limits: GatewayLimits): void {
  if (!speaksHttp) {
    socket.destroy();
    return;
  }
  const detail = `A session may have ${limits.connectionsPerSessionMax} connections open.`;
  answerRaw(socket, problemOf(refuse('too-many-connections', detail)));
}
