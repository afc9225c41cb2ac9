import { createServer, type Server, type Socket } from 'node:net';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { answerRaw, problemOf } from '../refuse/answer.ts';
import { refuse } from '../refuse/refusal.ts';
import type { Session } from '../session/session.ts';

/** What `server.listen` takes: the raw handle that came with a serve message. */
export type ListenHandle = object;

/** One listening socket of one session. The session is known from here on, and from nothing that arrives (I7). */
export class Listener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(options: {
    readonly handle: ListenHandle;
    readonly session: Session;
    readonly speaksHttp: boolean;
    readonly limits: GatewayLimits;
    readonly accepted: (socket: Socket) => void;
  }): Promise<Listener> {
    const { session, limits } = options;
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      // INVARIANT: before anything else; an unhandled reset would end the process.
      socket.on('error', () => socket.destroy());
      if (session.closed) {
        socket.destroy();
        return;
      }
      if (session.sockets.size >= limits.connectionsPerSessionMax) {
        refuseConnection(socket, options.speaksHttp, limits);
        return;
      }
      session.sockets.add(socket);
      socket.once('close', () => session.sockets.delete(socket));
      options.accepted(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        reject(new GatewayError('message-malformed', 'the handed-over socket cannot be listened on', { cause }));
      });
      server.listen(options.handle, resolve);
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

function refuseConnection(socket: Socket, speaksHttp: boolean, limits: GatewayLimits): void {
  if (!speaksHttp) {
    socket.destroy();
    return;
  }
  const detail = `A session may have ${limits.connectionsPerSessionMax} connections open.`;
  answerRaw(socket, problemOf(refuse('too-many-connections', detail)));
}
