import type { Duplex } from 'node:stream';
import { type Interception, placeOf } from '@cordon/egress';
import { transportFor } from '@cordon/policy';
import { assertNever, type SocketPlace, timestamp } from '@cordon/protocol';
import type { Ask, Road } from './ask.ts';
import { capturedDestination } from './capture/captured.ts';
import { NameServer } from './capture/name-server.ts';
import { GatewayError } from './error.ts';
import { codeOf } from './failure.ts';
import { type Head, type Place, readHead } from './http/head.ts';
import { isOwnName, readPage } from './internal.ts';
import { deniedTooOften, refusalOfFault } from './judge.ts';
import { Connection } from './listen/connection.ts';
import { HttpFront } from './listen/front.ts';
import { H2Front, speaksH2 } from './listen/h2-front.ts';
import { reset } from './listen/listener.ts';
import { serveCaptured, serveConnect, serveTls, type TunnelOptions } from './listen/tunnel.ts';
import type { Incoming, Reply, Socket } from './listen/wire.ts';
import { faultEntry } from './record.ts';
import { answerPage, answerThenLinger, problemOf } from './refuse/answer.ts';
import { quote } from './refuse/quote.ts';
import { isRefusal, type Refusal, refuse } from './refuse/refusal.ts';
import { travel, withoutPolicy } from './road.ts';
import type { Session } from './session/session.ts';
import type { Shed } from './shed.ts';
import { afterConnect, mayBeRaw } from './tunnel/after-connect.ts';
import { serveTunnel, type TunnelServing } from './tunnel/serve.ts';
import { serveWebSocket } from './websocket/serve.ts';

/** Those that speak HTTP or TLS from the first byte. */
export type HttpKind = 'proxy' | 'http' | 'tls';

export interface ServiceOptions {
  readonly road: Road;
  /** Resolves at once when the session's policy is there, else when it comes, else after a while. */
  readonly policyArrived: (session: string) => Promise<void>;
  readonly interception: () => Promise<Interception | null>;
  /** What is refused because the process is too full or too late. */
  readonly shed: () => Shed;
}

/** Takes accepted sockets of sessions and answers every request on them, in one way or another. */
export class Service implements Disposable {
  readonly #options: ServiceOptions;
  readonly #front: HttpFront;
  readonly #h2: H2Front;
  readonly #tunnels: TunnelOptions;
  readonly #serving: TunnelServing;
  #channels = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    const { limits, clock } = options.road;
    this.#serving = {
      road: options.road,
      policyArrived: options.policyArrived,
      refused: (session, channel, refusal) => this.#recordRefusal(session, channel, refusal, null),
    };
    this.#tunnels = {
      limits,
      interception: options.interception,
      inside: (session, place, socket) => this.#attach(session, place, socket),
      refused: (session, channel, refusal) => this.#recordRefusal(session, channel, refusal, null),
      mayTunnel: (session, target) => mayBeRaw(options.road, session, target),
      tunnel: (ask) => afterConnect(this.#serving, ask),
    };
    const handlers = {
      request: (connection: Connection, request: Incoming, response: Reply) =>
        this.#request(connection, request, response),
      refused: ({ session, id }: Connection, refusal: Refusal) => this.#recordRefusal(session, id, refusal, null),
    };
    this.#front = new HttpFront(
      {
        ...handlers,
        connect: (connection, wire, socket, head) => serveConnect(connection, wire, socket, head, this.#tunnels),
      },
      limits,
    );
    this.#h2 = new H2Front({ handlers, limits, clock });
  }

  accept(session: Session, kind: HttpKind, socket: Socket): void {
    switch (kind) {
      case 'proxy':
        this.#attach(session, { kind: 'proxy' }, socket);
        return;
      case 'http':
        this.#attach(session, { kind: 'plain' }, socket);
        return;
      case 'tls':
        // Never rejects: what goes wrong is recorded and the socket is closed.
        serveTls(session, this.#nextChannel(), socket, this.#tunnels).catch(() => socket.destroy());
        return;
      default:
        assertNever(kind, 'socket kind');
    }
  }

  /** A socket that stands for one raw TCP grant: which one, the supervisor has said, and nothing that arrives. */
  acceptTcp(session: Session, grant: string, socket: Socket): void {
    socket.pause();
    void serveTunnel(this.#serving, { session, channel: this.#nextChannel(), resource: grant, via: 'socket', socket });
  }

  /** A connection that was made past the proxy; `names` tells what its address stands for. */
  acceptCaptured(session: Session, names: NameServer, socket: Socket, local: SocketPlace | null): void {
    const target = local === null ? null : capturedDestination(local, names);
    if (target === null || isRefusal(target)) {
      if (target !== null) this.#recordRefusal(session, this.#nextChannel(), target, null);
      reset(socket);
      return;
    }
    serveCaptured(session, this.#nextChannel(), target, socket, this.#tunnels).catch(() => socket.destroy());
  }

  /** The name server of a session: what its policy of the moment knows. */
  createNames(session: Session): NameServer {
    const { road } = this.#options;
    return new NameServer({
      limits: road.limits,
      clock: road.clock,
      isOwnName,
      known: () => {
        const policy = road.policyOf(session.id);
        return policy === null ? null : policy.names;
      },
      refused: (name) => {
        const detail = `No grant speaks of ${quote(name)}, so it has no address here.`;
        const place = placeOf(`https://${name}:443`);
        const step = place.kind === 'never' ? `no grant reaches it: ${place.why}` : `--allow ${name}`;
        const refusal = refuse('name-unknown', detail, { nextSteps: [quote(step, road.limits.nextStepCharsMax)] });
        this.#recordRefusal(session, this.#nextChannel(), refusal, null);
      },
    });
  }

  [Symbol.dispose](): void {
    this.#front[Symbol.dispose]();
    this.#h2[Symbol.dispose]();
  }

  #attach(session: Session, place: Place, socket: Duplex): void {
    if (socket.destroyed) return;
    const connection = new Connection(this.#nextChannel(), session, place, socket);
    if (speaksH2(socket)) this.#h2.attach(connection);
    else this.#front.attach(connection);
  }

  #nextChannel(): string {
    this.#channels += 1;
    return `c${this.#channels}`;
  }

  async #request(connection: Connection, request: Incoming, response: Reply): Promise<void> {
    const { session } = connection;
    const { limits } = this.#options.road;
    if (this.#options.shed() === 'requests') {
      const refusal = refuse('overloaded', 'The host is too busy; nothing was sent.', { retryAfterSeconds: 1 });
      await this.#refuse(connection, request, response, refusal);
      return;
    }
    if (!session.enter()) {
      const detail = `A session may have ${limits.requestsInFlightMax} requests in flight.`;
      const refusal = refuse('too-many-requests', detail, { retryAfterSeconds: 1 });
      await this.#refuse(connection, request, response, refusal);
      return;
    }
    try {
      const refusal = await this.#answer(connection, request, response);
      if (refusal !== null) await this.#refuse(connection, request, response, refusal);
    } catch (error: unknown) {
      await this.#fault(connection, request, response, error);
    } finally {
      session.leave();
    }
  }

  async #answer(connection: Connection, request: Incoming, response: Reply): Promise<Refusal | null> {
    const { road, policyArrived } = this.#options;
    const { session } = connection;
    const startedMs = road.clock.monotonic();
    const signal = abortOnClose(request, response);
    await policyArrived(session.id);
    const head = readHead(request.wire, connection.place, {
      isOwnName,
      bodyOnRead: ({ origin }) => {
        const policy = road.policyOf(session.id);
        return policy !== null && transportFor(policy.snapshot, origin).bodyOnRead;
      },
    });
    if (isRefusal(head)) return head;
    // What follows an upgrade that was not made has two readings; nothing of it is read here.
    if (head.upgrade !== null) response.shouldKeepAlive = false;
    if (isOwnName(head.endpoint.host)) return this.#ownPage(session, head, response);
    if (road.policyOf(session.id) === null) return withoutPolicy();
    const tooOften = deniedTooOften(road, session);
    if (tooOften !== null) return tooOften;
    const ask: Ask = { session, head, request, response, channel: connection.id, signal, startedMs };
    if (head.upgrade === 'websocket') {
      if (request.upgrade !== null) return serveWebSocket(road, ask, request.upgrade);
      return refuse('upgrade-unsupported', 'A WebSocket is opened over HTTP/1.1 with `Upgrade: websocket` alone.');
    }
    if (head.expectContinue) response.writeContinue();
    return travel(road, ask);
  }

  #ownPage(session: Session, head: Head, response: Reply): Refusal | null {
    const { road } = this.#options;
    const page = readPage(head, session, road.policyOf(session.id), road.limits);
    if (isRefusal(page)) return page;
    answerPage(response, page.body, head.method);
    return null;
  }

  async #refuse(connection: Connection, request: Incoming, response: Reply, refusal: Refusal): Promise<void> {
    // The rest of a refused message has no agreed end, so nothing on this connection is looked at again.
    connection.ended = true;
    this.#recordRefusal(connection.session, connection.id, refusal, request);
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    const { retryAfterSeconds } = refusal;
    const options = { close: true, retryAfterSeconds, method: request.wire.method };
    await answerThenLinger(request, response, problemOf(refusal), options);
  }

  /** Something of ours broke: the answer is no, it is recorded if anything still can be, the connection ends (I3). */
  async #fault(connection: Connection, request: Incoming, response: Reply, error: unknown): Promise<void> {
    if (error instanceof GatewayError && error.code === 'client-gone') return;
    const { road } = this.#options;
    await this.#refuse(connection, request, response, refusalOfFault(road, error, 'Nothing was sent.'));
  }

  #recordRefusal(session: Session, channel: string, refusal: Refusal, request: Incoming | null): void {
    const { road } = this.#options;
    const line = request === null ? '' : `${quote(request.wire.method, 32)} ${quote(request.wire.url)}`;
    session.denials.add({
      at: timestamp(road.clock),
      code: refusal.code,
      attempt: null,
      intent: null,
      request: line,
      detail: refusal.detail,
      next_steps: refusal.nextSteps,
    });
    const suppressed = session.refusals.admit(road.clock.monotonic(), road.limits.refusalsRecordedPerMinuteMax);
    if (suppressed === null) return;
    if (road.journal.failure !== null) return;
    const { code, detail, resource } = refusal;
    const fault = { code, detail, channel, attempt: null, suppressed, ...(resource === null ? {} : { resource }) };
    road.journal.append(faultEntry(session.id, fault), 'os').catch((error: unknown) => {
      road.report('error', codeOf(error), 'a refusal could not be recorded');
    });
  }
}

/** The agent went away before it had its answer: whatever is done for it ends, upstream too. */
function abortOnClose({ upgrade }: Incoming, response: Reply): AbortSignal {
  const controller = new AbortController();
  const gone = (): void => controller.abort(new GatewayError('client-gone', 'the agent closed the connection'));
  // A socket that was taken is no response's any more.
  upgrade?.socket.once('close', gone);
  // Streams of one connection can be over before their turn comes.
  if (response.destroyed) gone();
  response.once('close', () => {
    if (!response.writableFinished) gone();
  });
  return controller.signal;
}
