import type { Permit } from '@cordon/policy';
import type { Brand, Clock, OriginRule } from '@cordon/protocol';
import { classifyAddress, type HostView } from './address.ts';
import {
  checkAddresses,
  checkDestination,
  type Destination,
  parseDestination,
  parseTunnel,
  type TunnelDestination,
} from './destination.ts';
import { limits } from './limits.ts';
import type { Overrides } from './overrides.ts';
import { type EgressRefusal, refuse } from './refusal.ts';
import type { Resolution, Resolver } from './resolver.ts';
import type { AddressClass } from './special-purpose.ts';

interface Pinned {
  readonly addresses: readonly string[];
  readonly classes: readonly AddressClass[];
  /** Where the dial goes; differs from `port` only under a test override. */
  readonly connectPort: number;
  /** Monotonic ms; a dial after it is refused. */
  readonly expiresAt: number;
  /** True: a test's destination override, never classified. Goes into the record. */
  readonly override: boolean;
}

/** The addresses that were classified for one destination, and nothing else will be dialled (I5). Only `pin` makes one. */
export type Pin = Brand<Destination & Pinned, 'Pin'>;
/** The same for a tunnel. A type of its own: no HTTP client may take it, since what goes there is not HTTP of ours. */
export type TunnelPin = Brand<TunnelDestination & Pinned, 'TunnelPin'>;

export interface DestinationsOptions {
  readonly resolver: Resolver;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly hostView: () => HostView;
  /** `host:port` → a server of the test. TESTS ONLY: comes from the composition root's own flag, never from policy. */
  readonly overrides?: Overrides;
}

export class Destinations {
  readonly #options: DestinationsOptions;

  constructor(options: DestinationsOptions) {
    this.#options = options;
  }

  /** The pure part of {@link pin}, for a readable refusal before anything is decided. */
  check(origin: string, rules: readonly OriginRule[]): EgressRefusal | null {
    const destination = parseDestination(origin);
    if ('refused' in destination) return destination;
    if (this.#override(destination) !== undefined) return null;
    return checkDestination(destination, rules, this.#options.hostView());
  }

  /**
   * Resolves the permit's destination and judges every address of the answer. The first DNS query of a request happens
   * here, with a permit in hand, so a name that nobody may reach is never asked for.
   */
  async pin(permit: Permit, rules: readonly OriginRule[], signal: AbortSignal): Promise<Pin | EgressRefusal> {
    const destination = parseDestination(permit.destination);
    return 'refused' in destination
      ? destination
      : ((await this.#pin(destination, rules, signal)) as Pin | EgressRefusal);
  }

  /** The same gates for the destination of a tunnel. */
  async pinTunnel(
    permit: Permit,
    rules: readonly OriginRule[],
    signal: AbortSignal,
  ): Promise<TunnelPin | EgressRefusal> {
    const destination = parseTunnel(permit.destination);
    return 'refused' in destination
      ? destination
      : ((await this.#pin(destination, rules, signal)) as TunnelPin | EgressRefusal);
  }

  async #pin(
    destination: Destination | TunnelDestination,
    rules: readonly OriginRule[],
    signal: AbortSignal,
  ): Promise<((Destination | TunnelDestination) & Pinned) | EgressRefusal> {
    const override = this.#override(destination);
    const { clock, hostView, resolver } = this.#options;
    if (override !== undefined) {
      return toPin(destination, [override.address], ['loopback'], Number.POSITIVE_INFINITY, override.port, true);
    }
    const host = hostView();
    const known = checkDestination(destination, rules, host);
    if (known !== null) return known;
    const resolution: Resolution = destination.literal
      ? { kind: 'addresses', addresses: [destination.host], expiresAt: clock.monotonic() + limits.dnsTtlMaxMs }
      : await resolver.resolve(destination.host, signal);
    if (resolution.kind === 'none') return unresolved(destination, resolution.why);
    const { addresses, expiresAt } = resolution;
    const refusal = checkAddresses(destination, addresses, rules, host);
    if (refusal !== null) return refusal;
    const classes = addresses.map((address) => classifyAddress(address, destination.port, host));
    // A cached answer may end this instant; the dial that follows at once must still find its pin valid.
    const until = Math.max(expiresAt, clock.monotonic() + limits.dnsTtlMinMs);
    return toPin(destination, addresses, classes, until, destination.port, false);
  }

  #override(
    destination: Destination | TunnelDestination,
  ): { readonly address: '127.0.0.1' | '::1'; readonly port: number } | undefined {
    return this.#options.overrides?.get(`${destination.host}:${destination.port}`);
  }
}

function toPin(
  destination: Destination | TunnelDestination,
  addresses: readonly string[],
  classes: readonly AddressClass[],
  expiresAt: number,
  connectPort: number,
  override: boolean,
): (Destination | TunnelDestination) & Pinned {
  return Object.freeze({ ...destination, addresses, classes, expiresAt, connectPort, override });
}

function unresolved(
  destination: Destination | TunnelDestination,
  why: 'not-found' | 'timeout' | 'failed' | 'too-many' | 'busy',
): EgressRefusal {
  switch (why) {
    case 'not-found':
      return refuse('name-unresolved', `${destination.host} has no address`);
    case 'failed':
      return refuse('name-unresolved', `the name servers did not answer for ${destination.host}`);
    case 'too-many':
      return refuse('name-unresolved', `${destination.host} has more addresses than are checked`);
    case 'timeout':
      return refuse('resolver-timeout', `the name servers did not answer in time for ${destination.host}`, [
        'try again',
      ]);
    case 'busy':
      return refuse('resolver-busy', 'too many name lookups are under way', ['try again']);
  }
}
