import { createSecureContext, type SecureContext } from 'node:tls';
import type { Clock, Random } from '@cordon/protocol';
import { type Authority, createKeyPair, type Leaves } from './authority.ts';
import { egressError } from './error.ts';
import { limits } from './limits.ts';

interface Minted {
  readonly context: SecureContext;
  readonly renewAtMs: number;
}

interface LeafKey {
  readonly leaves: Leaves;
  readonly pem: string;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Contexts for host names, minted when first asked for and kept: making one costs ten times its certificate. */
export class Contexts {
  readonly #authority: Authority;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #minted = new Map<string, Minted>();
  readonly #flights = new Map<string, Promise<Minted>>();
  readonly #buckets = new Map<string, Bucket>();
  #leafKey: Promise<LeafKey> | null = null;

  constructor(authority: Authority, clock: Clock, random: Random) {
    this.#authority = authority;
    this.#clock = clock;
    this.#random = random;
  }

  /** @throws CordonError `tls-name-rate` when the session asks for too many names that were not minted yet */
  async get(host: string, session: string): Promise<SecureContext> {
    const known = this.#minted.get(host);
    if (known !== undefined && known.renewAtMs > this.#clock.now()) {
      this.#minted.delete(host);
      this.#minted.set(host, known);
      return known.context;
    }
    let flight = this.#flights.get(host);
    if (flight === undefined) {
      this.#takeToken(session);
      flight = this.#mint(host).finally(() => this.#flights.delete(host));
      this.#flights.set(host, flight);
    }
    return (await flight).context;
  }

  forgetSession(session: string): void {
    this.#buckets.delete(session);
  }

  async #mint(host: string): Promise<Minted> {
    this.#leafKey ??= createLeafKey(this.#authority);
    const leafKey = await this.#leafKey;
    const now = this.#clock.now();
    const leaf = leafKey.leaves.issue(host, now, this.#random);
    // Tickets are under a random key that OpenSSL draws for each context: they end with it, and none opens another host.
    const context = createSecureContext({ key: leafKey.pem, cert: leaf.certificate, minVersion: 'TLSv1.2' });
    const renewAtMs = Math.max(now + 1000, leaf.notAfterMs - limits.leafRenewBeforeMs);
    const minted = { context, renewAtMs: Math.min(renewAtMs, leaf.notAfterMs) };
    this.#minted.delete(host);
    const oldest = this.#minted.size >= limits.contextsMax ? this.#minted.keys().next().value : undefined;
    if (oldest !== undefined) this.#minted.delete(oldest);
    this.#minted.set(host, minted);
    return minted;
  }

  #takeToken(session: string): void {
    const max = limits.newNamesPerSecondMax;
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(session) ?? { tokens: max, atMs: now };
    const tokens = Math.min(max, bucket.tokens + ((now - bucket.atMs) / 1000) * max);
    if (tokens < 1) throw egressError('tls-name-rate', 'too many new host names in one second');
    this.#buckets.set(session, { tokens: tokens - 1, atMs: now });
  }
}

async function createLeafKey(authority: Authority): Promise<LeafKey> {
  const { publicKey, privateKey } = await createKeyPair();
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { leaves: authority.leaves(publicKey), pem };
}
