import { promises as dns } from 'node:dns';
import type { Clock } from '@cordon/protocol';
import { limits } from './limits.ts';

export type Resolution =
  | {
      readonly kind: 'addresses';
      readonly addresses: readonly string[] /** Monotonic ms. */;
      readonly expiresAt: number;
    }
  | {
      readonly kind: 'none';
      readonly why: 'not-found' | 'timeout' | 'failed' | 'too-many' | 'busy';
      readonly expiresAt: number;
    };

export interface Resolver {
  /** Never throws for what a name server says or fails to say. @throws the signal's reason */
  resolve(name: string, signal: AbortSignal): Promise<Resolution>;
}

export interface ResolverOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** `address` or `address:port`; default: the host's configured servers, read anew for each lookup. */
  readonly servers?: readonly string[];
}

export function createResolver(options: ResolverOptions): Resolver {
  return new CachingResolver(options);
}

/**
 * c-ares: no search list, no hosts file of the host, no HTTPS or SVCB records. c-ares reads CNAMEs of one answer and
 * follows none by a further query, so a chain costs us nothing and ends at addresses, each of which is classified.
 */
class CachingResolver implements Resolver {
  readonly #options: ResolverOptions;
  readonly #cache = new Map<string, Resolution>();
  readonly #flights = new Map<string, Promise<Resolution>>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  resolve(name: string, signal: AbortSignal): Promise<Resolution> {
    const known = this.#cache.get(name);
    if (known !== undefined && known.expiresAt > this.#options.clock.monotonic()) return Promise.resolve(known);
    let flight = this.#flights.get(name);
    if (flight === undefined) {
      if (this.#flights.size >= limits.dnsInFlightMax) {
        return Promise.resolve({ kind: 'none', why: 'busy', expiresAt: 0 });
      }
      flight = this.#look(name).finally(() => this.#flights.delete(name));
      this.#flights.set(name, flight);
    }
    return untilAborted(flight, signal);
  }

  async #look(name: string): Promise<Resolution> {
    // One c-ares channel a lookup: `cancel` ends this lookup alone, and resolv.conf is never stale.
    const resolver = new dns.Resolver({ timeout: limits.dnsTimeoutMs, tries: limits.dnsTries });
    if (this.#options.servers !== undefined) resolver.setServers([...this.#options.servers]);
    const deadline = setTimeout(() => resolver.cancel(), limits.dnsLookupTimeoutMs);
    try {
      const [four, six] = await Promise.allSettled([
        resolver.resolve4(name, { ttl: true }),
        resolver.resolve6(name, { ttl: true }),
      ]);
      const resolution = this.#judge(four, six);
      this.#remember(name, resolution);
      return resolution;
    } finally {
      clearTimeout(deadline);
    }
  }

  #judge(four: Answer, six: Answer): Resolution {
    const now = this.#options.clock.monotonic();
    // One family that fails does not hide the other: only what was answered is classified, and only that is dialled.
    const records = [six, four].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const negative = now + limits.dnsNegativeMs;
    if (records.length === 0) return { kind: 'none', why: whyNone([four, six]), expiresAt: negative };
    const addresses = [...new Set(records.map((record) => record.address))];
    if (addresses.length > limits.dnsAddressesMax) return { kind: 'none', why: 'too-many', expiresAt: negative };
    const ttlMs = Math.min(...records.map((record) => record.ttl)) * 1000;
    const kept = Math.min(Math.max(ttlMs, limits.dnsTtlMinMs), limits.dnsTtlMaxMs);
    return { kind: 'addresses', addresses, expiresAt: now + kept };
  }

  #remember(name: string, resolution: Resolution): void {
    this.#cache.delete(name);
    if (this.#cache.size >= limits.dnsCacheNamesMax) {
      const oldest = this.#cache.keys().next();
      if (oldest.done !== true) this.#cache.delete(oldest.value);
    }
    this.#cache.set(name, resolution);
  }
}

type Answer = PromiseSettledResult<ReadonlyArray<{ readonly address: string; readonly ttl: number }>>;

function whyNone(answers: readonly Answer[]): 'not-found' | 'timeout' | 'failed' {
  const codes = answers.map((answer) => (answer.status === 'rejected' ? codeOf(answer.reason) : dns.NODATA));
  if (codes.every((code) => code === dns.NOTFOUND || code === dns.NODATA)) return 'not-found';
  return codes.some((code) => code === dns.TIMEOUT || code === dns.CANCELLED) ? 'timeout' : 'failed';
}

function codeOf(reason: unknown): string {
  return reason instanceof Error && 'code' in reason ? String(reason.code) : '';
}

/** A lookup is shared, so one caller that gives up must not end it for the others. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
