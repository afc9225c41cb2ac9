import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Clock } from '@cordon/protocol';
import { dial } from './dial.ts';
import { egressError } from './error.ts';
import {
  abortReason,
  type HeaderPairs,
  type OutgoingHead,
  type SendOptions,
  StaleSocket,
  send,
  type UpstreamAnswer,
} from './exchange.ts';
import { sendH2, WantsHttp1 } from './h2-exchange.ts';
import type { H2Upstream } from './h2-upstream.ts';
import { limits } from './limits.ts';
import type { Pin, TunnelPin } from './pin.ts';
import { Pool } from './pool.ts';
import { createUpstreamContext } from './roots.ts';
import { type NotUpgraded, type Upgraded, upgrade } from './upgrade.ts';

export interface UpstreamsOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** PEM certificates trusted beside the system's roots; the composition root decides. */
  readonly extraCa?: readonly string[];
}

export interface UpstreamRequest extends OutgoingHead {
  readonly session: string;
  readonly pin: Pin;
  /** Identity of what is injected; part of the pool's key, so no socket is shared between credentials. */
  readonly credential: string | null;
  readonly headers: HeaderPairs;
  /** Whole; `Content-Length` is written from it. Null: no body (`Content-Length: 0` where the method expects one). */
  readonly body: Buffer | null;
  /** May be sent once more if a reused socket died before any byte of an answer. Idempotent methods only. */
  readonly retry: boolean;
  /** The agent spoke HTTP/2, so the server may be offered it too. */
  readonly h2?: boolean;
  readonly firstByteTimeoutMs?: number;
  /** Without a byte of the body for this long, the answer is cut. */
  readonly idleTimeoutMs?: number;
}

export interface UpgradeRequest extends OutgoingHead {
  readonly session: string;
  readonly pin: Pin;
  readonly key: string;
  readonly offered: readonly string[];
  readonly firstByteTimeoutMs?: number;
}

interface SessionPools {
  readonly pools: Map<string, Pool>;
  readonly end: AbortController;
}

const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Every connection to the world. Sockets belong to one session; nothing is shared between sessions. */
export class Upstreams implements Disposable {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #tls: SecureContext;
  readonly #sessions = new Map<string, SessionPools>();

  constructor(options: UpstreamsOptions) {
    this.#clock = options.clock;
    this.#tls = createUpstreamContext(options.extraCa ?? []);
  }

  /** Sends one whole request and resolves with the head of its answer. @throws CordonError of EgressErrorCode, or the signal's reason */
  async exchange(request: UpstreamRequest, signal: AbortSignal): Promise<UpstreamAnswer> {
    signal.throwIfAborted();
    const session = this.#session(request.session);
    const pool = this.#pool(session, request);
    const options = {
      firstByteTimeoutMs: request.firstByteTimeoutMs ?? limits.firstByteTimeoutMs,
      idleTimeoutMs: request.idleTimeoutMs ?? limits.answerIdleTimeoutMs,
      signals: [signal, session.end.signal],
    };
    try {
      return await inUse(pool, this.#send(request, pool, { ...options, attempts: 1 }));
    } catch (error: unknown) {
      if (!(error instanceof StaleSocket)) throw error;
      if (!request.retry || !idempotent.has(request.method)) {
        throw egressError('upstream-reset', `${request.pin.host} ended the connection before it answered`, error);
      }
      if (error instanceof WantsHttp1) pool.h2.avoid(request.pin);
      return await this.#again(request, session, pool, options);
    }
  }

  async #send(
    request: UpstreamRequest,
    pool: Pool,
    options: Omit<SendOptions, 'pool' | 'keepAlive'>,
  ): Promise<UpstreamAnswer> {
    const { pin, body } = request;
    const upstream = h2Of(request, pool, options.signals);
    const ready = upstream instanceof Promise ? await upstream : upstream;
    if (ready !== null) return await sendH2(ready, request, pin, body, options);
    return await send(request, pin, body, { ...options, pool, keepAlive: true });
  }

  /**
   * The one retry. HTTP/1.1: on a socket of its own, the pool's others may be as dead as the one that failed. HTTP/2:
   * on the connection of now, because a server that refuses a stream may take the next one.
   */
  async #again(
    request: UpstreamRequest,
    session: SessionPools,
    pool: Pool,
    options: Pick<SendOptions, 'firstByteTimeoutMs' | 'idleTimeoutMs' | 'signals'>,
  ): Promise<UpstreamAnswer> {
    const { pin, body } = request;
    const upstream = await h2Of(request, pool, options.signals);
    if (upstream !== null) return await this.#second(upstream, request, pool, options);
    const once = new Pool({ clock: this.#clock, tls: this.#tls, signal: session.end.signal, keepAlive: false });
    return await send(request, pin, body, { ...options, pool: once, keepAlive: false, attempts: 2 });
  }

  async #second(
    upstream: H2Upstream,
    request: UpstreamRequest,
    pool: Pool,
    options: Pick<SendOptions, 'firstByteTimeoutMs' | 'idleTimeoutMs' | 'signals'>,
  ): Promise<UpstreamAnswer> {
    try {
      return await inUse(pool, sendH2(upstream, request, request.pin, request.body, { ...options, attempts: 2 }));
    } catch (error: unknown) {
      if (!(error instanceof StaleSocket)) throw error;
      throw egressError('upstream-reset', `${request.pin.host} refused the request twice`, error);
    }
  }

  /** A WebSocket handshake on a connection of its own, which ends with the session. @throws as {@link exchange} */
  async upgrade(request: UpgradeRequest, signal: AbortSignal): Promise<Upgraded | NotUpgraded> {
    signal.throwIfAborted();
    const { end } = this.#session(request.session);
    const pool = new Pool({ clock: this.#clock, tls: this.#tls, signal: end.signal, keepAlive: false });
    const upgraded = await upgrade(request, request.pin, {
      pool,
      key: request.key,
      offered: request.offered,
      firstByteTimeoutMs: request.firstByteTimeoutMs ?? limits.firstByteTimeoutMs,
      idleTimeoutMs: limits.answerIdleTimeoutMs,
      signals: [signal, end.signal],
    });
    if (upgraded.kind === 'upgraded') endWith(upgraded.socket, end.signal);
    return upgraded;
  }

  /** A connection for bytes that nobody reads; it ends with the session. @throws as {@link dial} */
  async tunnel(session: string, pin: TunnelPin, signal: AbortSignal): Promise<Socket> {
    const { end } = this.#session(session);
    const socket = await dial(pin, this.#clock.monotonic(), AbortSignal.any([signal, end.signal]));
    socket.on('error', () => socket.destroy());
    endWith(socket, end.signal);
    return socket;
  }

  /** Stop: every socket of the session is destroyed before this returns. */
  closeSession(session: string): void {
    const known = this.#sessions.get(session);
    if (known === undefined) return;
    this.#sessions.delete(session);
    known.end.abort(egressError('upstream-closed', 'the session has ended'));
    for (const pool of known.pools.values()) pool.destroy();
  }

  [Symbol.dispose](): void {
    for (const session of [...this.#sessions.keys()]) this.closeSession(session);
  }

  #session(name: string): SessionPools {
    let session = this.#sessions.get(name);
    if (session === undefined) {
      session = { pools: new Map(), end: new AbortController() };
      this.#sessions.set(name, session);
    }
    return session;
  }

  #pool(session: SessionPools, request: UpstreamRequest): Pool {
    const key = JSON.stringify([request.pin.origin, request.pin.override, request.credential]);
    let pool = session.pools.get(key);
    if (pool === undefined) {
      if (session.pools.size >= limits.poolsPerSessionMax) dropUnused(session.pools);
      pool = new Pool({ clock: this.#clock, tls: this.#tls, signal: session.end.signal, keepAlive: true });
      session.pools.set(key, pool);
    }
    return pool;
  }
}

/** The pool is in use from the request to the end of its answer. */
async function inUse(pool: Pool, sending: Promise<UpstreamAnswer>): Promise<UpstreamAnswer> {
  const over = (): void => {
    pool.active -= 1;
  };
  pool.active += 1;
  try {
    const answer = await sending;
    answer.body.once('close', over);
    return answer;
  } catch (error: unknown) {
    over();
    throw error;
  }
}

/** A socket that left its pool: the session's end must still find it. */
function endWith(socket: Socket, signal: AbortSignal): void {
  const end = (): void => void socket.destroy();
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  socket.once('close', () => signal.removeEventListener('abort', end));
}

/** The connection for a request that may go over HTTP/2; null: it goes over HTTP/1.1. */
function h2Of(
  request: UpstreamRequest,
  pool: Pool,
  signals: readonly AbortSignal[],
): Promise<H2Upstream | null> | H2Upstream | null {
  if (request.h2 !== true || request.pin.scheme !== 'https') return null;
  const known = pool.h2.now(request.pin);
  return known === undefined ? unlessAborted(pool.h2.get(request.pin), signals) : known;
}

/** What is opened serves others too, so it goes on; only the waiting ends. */
function unlessAborted<T>(opening: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(abortReason(signals) ?? egressError('upstream-reset', 'the request was given up'));
    const forget = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    };
    for (const signal of signals) signal.addEventListener('abort', abort);
    opening.then(resolve, reject).finally(forget);
    if (signals.some((signal) => signal.aborted)) abort();
  });
}

function dropUnused(pools: Map<string, Pool>): void {
  for (const [key, pool] of pools) {
    if (pool.active > 0) continue;
    pool.destroy();
    pools.delete(key);
    return;
  }
  throw egressError('upstream-busy', 'this session has requests to too many origins under way');
}
