import { canonicalOrigin, canonicalTunnel } from '@cordon/policy';
import type { OriginRule } from '@cordon/protocol';
import { blockHolds, classifyAddress, type HostView, parseAddress, parseBlock } from './address.ts';
import { type EgressRefusal, refuse } from './refusal.ts';
import { type AddressClass, metadataNames } from './special-purpose.ts';

/** Where a request goes: what an intent's resource says, taken apart. */
export interface Destination {
  readonly scheme: 'http' | 'https';
  /** Canonical name, or the IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  /** `https://api.github.com:443`; an IPv6 literal stands in brackets. */
  readonly origin: string;
  readonly literal: boolean;
}

/** Where a tunnel leads: the same, but nobody reads what goes there. */
export interface TunnelDestination extends Omit<Destination, 'scheme'> {
  readonly scheme: 'tcp' | 'tls';
}

/** Whichever it is: the same addresses and ports are out of bounds. */
type Endpoint = Destination | TunnelDestination;

/** Where a mistake gives away a machine or a cluster, so a session's own grant does not suffice. */
const trustedPorts: ReadonlySet<number> = new Set([
  25, 2375, 2376, 2379, 2380, 6443, 10250, 10255, 10256, 10257, 10258, 10259,
]);

/** Of a refused origin, how much is shown. */
const quotedCharsMax = 300;

/** Takes a canonical origin apart; whatever is not canonical is refused, never repaired. */
export function parseDestination(origin: string): Destination | EgressRefusal {
  const read = canonicalOrigin(origin);
  if (!read.ok || read.origin !== origin) {
    return refuse(
      'host-not-canonical',
      `${JSON.stringify(origin.slice(0, quotedCharsMax))} is not a canonical origin`,
      read.ok ? [`write ${read.origin}`] : [read.message],
    );
  }
  return { scheme: read.scheme, host: read.host, port: read.port, origin, literal: read.kind !== 'name' };
}

/** The same for `tcp://host:port` and `tls://host:port`. */
export function parseTunnel(resource: string): TunnelDestination | EgressRefusal {
  const read = canonicalTunnel(resource);
  if (!read.ok || read.origin !== resource) {
    return refuse('host-not-canonical', `${JSON.stringify(resource.slice(0, quotedCharsMax))} is no canonical tunnel`);
  }
  return { scheme: read.scheme, host: read.host, port: read.port, origin: resource, literal: read.kind !== 'name' };
}

/** Everything that is known without asking a name server. `null`: nothing speaks against it so far. */
export function checkDestination(
  destination: Endpoint,
  rules: readonly OriginRule[],
  host: HostView,
): EgressRefusal | null {
  const applying = rules.filter((rule) => ruleApplies(rule, destination));
  if (trustedPorts.has(destination.port) && !applying.some((rule) => rule.trusted)) {
    return refuse('port-forbidden', `port ${destination.port} is reserved for grants of the tenant's policy`, [
      `an operator can grant ${destination.origin} in the tenant's policy`,
    ]);
  }
  if (destination.literal) return checkAddresses(destination, [destination.host], applying, host);
  const name = metadataNames.find((known) => destination.host === known || destination.host.endsWith(`.${known}`));
  if (name !== undefined) {
    return refuse('name-forbidden', `${destination.host} serves cloud credentials and is never reachable`);
  }
  return null;
}

/** Every address has to be allowed: one that is not refuses the destination. */
export function checkAddresses(
  destination: Endpoint,
  addresses: readonly string[],
  rules: readonly OriginRule[],
  host: HostView,
): EgressRefusal | null {
  const applying = rules.filter((rule) => ruleApplies(rule, destination));
  for (const address of addresses) {
    const addressClass = classifyAddress(address, destination.port, host);
    const refusal = checkAddress(destination, address, addressClass, applying);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** Whether a rule speaks of this destination: the very origin, or `scheme://*.domain:port` for strict subdomains. */
export function ruleApplies(rule: OriginRule, destination: Endpoint): boolean {
  if (rule.origin === destination.origin) return true;
  const wildcard = '://*.';
  const at = rule.origin.indexOf(wildcard);
  if (at < 0 || destination.literal) return false;
  const scheme = rule.origin.slice(0, at);
  const suffix = `.${rule.origin.slice(at + wildcard.length)}`;
  return scheme === destination.scheme && `${destination.host}:${destination.port}`.endsWith(suffix);
}

function checkAddress(
  destination: Endpoint,
  text: string,
  addressClass: AddressClass,
  rules: readonly OriginRule[],
): EgressRefusal | null {
  const at = `${destination.host} (${text})`;
  switch (addressClass) {
    case 'public':
      return null;
    case 'private':
    case 'shared':
      if (rules.some((rule) => holds(rule, text))) return null;
      return refuse(
        'address-forbidden',
        `${at} is a ${addressClass} address and the grant names no such range`,
        [`add "addresses: [${text}]" to the grant for ${destination.origin}`],
        addressClass,
      );
    case 'loopback':
    case 'link-local':
    case 'self':
      if (rules.some((rule) => rule.trusted && holds(rule, text))) return null;
      return refuse(
        'address-forbidden',
        `${at} is an address of this host or its link (${addressClass})`,
        [`an operator can grant ${destination.origin} with "addresses: [${text}]" in the tenant's policy`],
        addressClass,
      );
    default:
      return refuse(
        'address-forbidden',
        `${at} is a ${addressClass} address, which is never reachable`,
        [],
        addressClass,
      );
  }
}

function holds(rule: OriginRule, text: string): boolean {
  const address = parseAddress(text);
  if (address === null) return false;
  return rule.addresses.some((cidr) => {
    const block = parseBlock(cidr);
    return block !== null && blockHolds(block, address);
  });
}
