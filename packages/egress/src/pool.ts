import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '@cordon/protocol';
import { dial } from './dial.ts';
import { H2Line } from './h2-line.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';
import { secureUpstream } from './upstream-tls.ts';

export interface PoolOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly tls: SecureContext;
  /** Ends with the session: dials under way are given up. */
  readonly signal: AbortSignal;
  /** False: one request, `Connection: close`. */
  readonly keepAlive: boolean;
}

/** Both ride on the options of a request down to the place where its socket is made or found. */
export interface PooledRequestArgs extends ClientRequestArgs {
  readonly pin: Pin;
  /** {@link poolName} of the pin, which the base class asks for several times a request. */
  readonly poolName: string;
}

/**
 * Keep-alive sockets of one session to one origin with one credential.
 * A socket is found again only by a pin of the very same addresses, so after a rebinding the old one idles out.
 */
export class Pool extends Agent {
  readonly #options: PoolOptions;
  readonly #ready: Array<readonly [name: string, socket: TLSSocket]> = [];
  /** What of this origin speaks HTTP/2. */
  readonly h2: H2Line;
  #tlsSession: Buffer | undefined;
  /** Requests between start and end; an unused pool may be dropped. */
  active = 0;

  constructor(options: PoolOptions) {
    const agentOptions: AgentOptions = {
      keepAlive: options.keepAlive,
      maxSockets: limits.socketsPerPoolMax,
      maxFreeSockets: limits.idleSocketsPerPoolMax,
      scheduling: 'lifo',
      timeout: limits.keepAliveIdleMs,
      // The pin says it; without this the base class matches every Host header against the pattern of an address.
      ...{ servername: '' },
    };
    super(agentOptions);
    this.#options = options;
    this.h2 = new H2Line({
      clock: options.clock,
      open: (pin) => this.openNegotiated(pin),
      nameOf: poolName,
      offer: (pin, socket) => this.offer(pin, socket),
    });
  }

  override getName(options?: ClientRequestArgs): string {
    return (options as PooledRequestArgs).poolName;
  }

  override createConnection(
    options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    this.#open(pinOf(options)).then(
      (socket) => callback?.(null, socket),
      (error: unknown) => (callback as (error: unknown) => void)(error),
    );
    return undefined;
  }

  async #open(pin: Pin): Promise<Socket> {
    const ready = this.#takeReady(poolName(pin));
    if (ready !== undefined) return ready;
    const socket = await dial(pin, this.#options.clock.monotonic(), this.#options.signal);
    return pin.scheme === 'https' ? this.#secure(socket, pin, ['http/1.1']) : socket;
  }

  /** A connection on which the server may choose HTTP/2. One that chooses HTTP/1.1 belongs to {@link offer}. */
  async openNegotiated(pin: Pin): Promise<TLSSocket> {
    const socket = await dial(pin, this.#options.clock.monotonic(), this.#options.signal);
    return this.#secure(socket, pin, ['h2', 'http/1.1']);
  }

  /** A connection that is open and was not used yet: the next request of this pool takes it instead of a new one. */
  offer(pin: Pin, socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    this.#ready.push([poolName(pin), socket]);
  }

  override destroy(): void {
    for (const [, socket] of this.#ready.splice(0)) socket.destroy();
    this.h2.destroy();
    super.destroy();
  }

  #takeReady(name: string): TLSSocket | undefined {
    const at = this.#ready.findIndex(([of, socket]) => of === name && !socket.destroyed);
    return at < 0 ? undefined : this.#ready.splice(at, 1)[0]?.[1];
  }

  #secure(socket: Socket, pin: Pin, protocols: readonly string[]): Promise<TLSSocket> {
    const { tls, signal } = this.#options;
    return secureUpstream(socket, pin, {
      ...{ tls, signal, protocols },
      session: this.#tlsSession,
      keep: (session) => {
        this.#tlsSession = session;
      },
    });
  }
}

/** A connection is found again only by a pin of the very same addresses. */
export function poolName(pin: Pin): string {
  return `${pin.origin} ${pin.connectPort} ${[...pin.addresses].sort().join(' ')}`;
}

function pinOf(options: ClientRequestArgs | undefined): Pin {
  return (options as PooledRequestArgs).pin;
}
