import { connect, type Socket } from 'node:net';
import { parseAddress, sameAddress } from './address.ts';
import { egressError } from './error.ts';
import { limits } from './limits.ts';
import type { Pin, TunnelPin } from './pin.ts';

/**
 * A connected TCP socket to an address of the pin; never to a name, so nothing is resolved again (I5).
 * Attempts start 250 ms apart or as soon as the one before failed, at most four; the first that connects wins
 * (RFC 8305 without its name lookup). The caller owns the socket.
 *
 * @throws CordonError `upstream-connect`, `upstream-connect-timeout`; or the signal's reason
 */
export function dial(pin: Pin | TunnelPin, now: number, signal: AbortSignal): Promise<Socket> {
  if (now > pin.expiresAt)
    return Promise.reject(egressError('upstream-connect', `${pin.origin}: the address pin is too old`));
  const waiting = interleaved(pin.addresses).slice(0, limits.dialTriesMax);
  const open = new Set<Socket>();
  return new Promise((resolve, reject) => {
    let stagger: NodeJS.Timeout | undefined;
    let lastError: unknown;
    let settled = false;

    const finish = (settle: () => void, winner: Socket | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(stagger);
      clearTimeout(deadline);
      signal.removeEventListener('abort', abort);
      for (const socket of open) if (socket !== winner) socket.destroy();
      settle();
    };
    const fail = (error: unknown): void => finish(() => reject(error as Error), null);
    const abort = (): void => fail(signal.reason);
    const deadline = setTimeout(() => {
      fail(egressError('upstream-connect-timeout', `${pin.host} did not accept a connection in time`, lastError));
    }, limits.connectTimeoutMs);

    const next = (): void => {
      clearTimeout(stagger);
      const address = waiting.shift();
      if (address === undefined) {
        if (open.size === 0) fail(egressError('upstream-connect', `${pin.host} refused the connection`, lastError));
        return;
      }
      const socket = connect({ host: address, port: pin.connectPort, noDelay: true, autoSelectFamily: false });
      open.add(socket);
      const failed = (error: unknown): void => {
        lastError = error;
        open.delete(socket);
        socket.destroy();
        if (!settled) next();
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        // INVARIANT (I5): what we are connected to is what was classified, whatever the layers below did with it.
        if (!sameAddress(parseAddress(socket.remoteAddress ?? ''), parseAddress(address))) {
          failed(egressError('upstream-connect', `${pin.host}: connected to an address that is not pinned`));
          return;
        }
        finish(() => {
          socket.off('error', failed);
          resolve(socket);
        }, socket);
      });
      stagger = setTimeout(next, limits.dialStaggerMs);
    };

    if (signal.aborted) abort();
    else {
      signal.addEventListener('abort', abort, { once: true });
      next();
    }
  });
}

/** IPv6 and IPv4 in turn, IPv6 first (RFC 8305 §4), so that a dead family costs one stagger. */
function interleaved(addresses: readonly string[]): string[] {
  const six = addresses.filter((address) => address.includes(':'));
  const four = addresses.filter((address) => !address.includes(':'));
  return addresses.flatMap((_, index) => [six[index], four[index]]).filter((address) => address !== undefined);
}
