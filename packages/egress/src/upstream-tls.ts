import type { Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { egressError } from './error.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';

export interface UpstreamTlsOptions {
  readonly tls: SecureContext;
  readonly signal: AbortSignal;
  /** Offered by ALPN, best first. */
  readonly protocols: readonly string[];
  /** Of an earlier connection to the same server. */
  readonly session: Buffer | undefined;
  readonly keep: (session: Buffer) => void;
}

/**
 * The client side of TLS to the host of the pin. Verification cannot be switched off: the option is fixed here.
 * @throws CordonError `upstream-tls`, `upstream-tls-timeout`; or the signal's reason
 */
export function secureUpstream(socket: Socket, pin: Pin, options: UpstreamTlsOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      socket,
      host: pin.host,
      // RFC 6066 §3: no server name for an IP literal; the certificate is then checked against `host`.
      ...(pin.literal ? {} : { servername: pin.host }),
      ...(options.session === undefined ? {} : { session: options.session }),
      secureContext: options.tls,
      ALPNProtocols: [...options.protocols],
      rejectUnauthorized: true,
    });
    const { signal } = options;
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
    secured.on('session', options.keep);
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

/** OpenSSL's and Node's code only (`CERT_HAS_EXPIRED`, …): the message would repeat the upstream's words. */
function tlsReason(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'handshake failed';
}
