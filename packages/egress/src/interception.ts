import type { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { Clock, Random } from '@cordon/protocol';
import { parseAddress } from './address.ts';
import { Authority, type KeyedCertificate } from './authority.ts';
import { Contexts } from './contexts.ts';
import { parseDestination } from './destination.ts';
import { egressError } from './error.ts';
import { limits } from './limits.ts';

export interface InterceptionOptions extends KeyedCertificate {
  readonly clock: Clock;
  readonly random: Random;
}

/** Ends the agent's TLS under the tenant's own authority, which nothing outside that tenant's sandboxes trusts. */
export class Interception {
  readonly #contexts: Contexts;
  readonly certificate: string;

  /** @throws CordonError `authority-invalid` */
  constructor(options: InterceptionOptions) {
    this.#contexts = new Contexts(new Authority(options), options.clock, options.random);
    this.certificate = options.certificate;
  }

  /** The context of exactly this host; for servers that do the handshake themselves. */
  context(host: string, session: string): Promise<SecureContext> {
    if (!isHost(host)) return Promise.reject(egressError('tls-name-invalid', 'not a canonical host name'));
    return this.#contexts.get(host, session);
  }

  /**
   * The server side of a handshake as `host`, on a socket whose first bytes were put back with `unshift`.
   * Resolves when the client has finished it, with `alpnProtocol` saying what it speaks: `h2`, else HTTP/1.1. The caller owns the result; on failure `socket` is destroyed.
   *
   * @throws CordonError `tls-client-refused`, `tls-client-timeout`, `tls-name-rate`, `authority-expired`
   */
  async terminate(socket: Duplex, host: string, session: string, signal: AbortSignal): Promise<TLSSocket> {
    const secureContext = await this.context(host, session);
    signal.throwIfAborted();
    if (socket.destroyed) throw egressError('tls-client-refused', 'the client left before the handshake');
    const secured = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['h2', 'http/1.1'] });
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', abort);
        secured.off('close', closed);
        secured.off('error', failed);
      };
      const give = (error: unknown): void => {
        settle();
        // The wrapped socket reports its end once more; without a listener that would end the process.
        secured.on('error', () => undefined);
        secured.destroy();
        socket.destroy();
        reject(error as Error);
      };
      const failed = (error: unknown): void => {
        give(egressError('tls-client-refused', `the client refused the handshake for ${host}`, error));
      };
      const closed = (): void => failed(undefined);
      const abort = (): void => give(signal.reason);
      const deadline = setTimeout(() => {
        give(egressError('tls-client-timeout', `the client did not finish the handshake for ${host}`));
      }, limits.handshakeTimeoutMs);
      signal.addEventListener('abort', abort, { once: true });
      secured.once('error', failed);
      secured.once('close', closed);
      secured.once('secure', () => {
        settle();
        resolve(secured);
      });
    });
  }

  forgetSession(session: string): void {
    this.#contexts.forgetSession(session);
  }
}

function isHost(host: string): boolean {
  const literal = parseAddress(host);
  const text = literal?.family === 6 ? `[${host}]` : host;
  return !('refused' in parseDestination(`https://${text}:443`));
}
