import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '@cordon/protocol';
import { dial } from './dial.ts';
import { egressError } from './error.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';

export interface PoolOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly tls: SecureContext;
  /** Ends with the session: dials under way are given up. */
  readonly signal: AbortSignal;
  /** False: one request, `Connection: close`. */
  readonly keepAlive: boolean;
}

/** `pin` and `signal` ride on the options of a request down to the place where its socket is made or found. */
export interface PooledRequestArgs extends ClientRequestArgs {
  readonly pin: Pin;
}

/**
 * Keep-alive sockets of one session to one origin with one credential.
 * A socket is found again only by a pin of the very same addresses, so after a rebinding the old one idles out.
 */
export class Pool extends Agent {
  readonly #options: PoolOptions;
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
  }

  override getName(options?: ClientRequestArgs): string {
    const pin = pinOf(options);
    return `${pin.origin} ${pin.connectPort} ${[...pin.addresses].sort().join(' ')}`;
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
    const socket = await dial(pin, this.#options.clock.monotonic(), this.#options.signal);
    return pin.scheme === 'https' ? this.#secure(socket, pin) : socket;
  }

  /** Verification cannot be switched off: the option is fixed here, after everything that could have set it. */
  #secure(socket: Socket, pin: Pin): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const secured = connectTls({
        socket,
        host: pin.host,
        // RFC 6066 §3: no server name for an IP literal; the certificate is then checked against `host`.
        ...(pin.literal ? {} : { servername: pin.host }),
        ...(this.#tlsSession === undefined ? {} : { session: this.#tlsSession }),
        secureContext: this.#options.tls,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: true,
      });
      const { signal } = this.#options;
      const settle = (): void => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', abort);
        secured.off('close', ended);
        secured.off('error', failed);
      };
      const give = (error: unknown): void => {
        settle();
        secured.on('error', () => undefined);
        secured.destroy();
        reject(error as Error);
      };
      const abort = (): void => give(signal.reason);
      const deadline = setTimeout(() => {
        give(egressError('upstream-tls-timeout', `${pin.host} did not finish the TLS handshake in time`));
      }, limits.tlsTimeoutMs);
      const failed = (error: Error): void => {
        give(egressError('upstream-tls', `TLS to ${pin.host} failed: ${tlsReason(error)}`, error));
      };
      secured.once('error', failed);
      const ended = (): void => failed(egressError('upstream-tls', 'the connection ended'));
      secured.once('close', ended);
      secured.on('session', (session) => {
        this.#tlsSession = session;
      });
      secured.once('secureConnect', () => {
        if (!secured.authorized) {
          failed(secured.authorizationError);
          return;
        }
        settle();
        resolve(secured);
      });
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
    });
  }
}

function pinOf(options: ClientRequestArgs | undefined): Pin {
  return (options as PooledRequestArgs).pin;
}

/** OpenSSL's and Node's code only (`CERT_HAS_EXPIRED`, …): the message would repeat the upstream's words. */
function tlsReason(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'handshake failed';
}
