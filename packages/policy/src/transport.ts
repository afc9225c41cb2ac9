import type { OriginRule } from '@cordon/protocol';
import { canonicalOrigin } from './canonical/origin.ts';
import { isBelow } from './grant/target.ts';
import type { PolicySnapshot } from './snapshot.ts';

export interface Transport {
  /** GET, HEAD, DELETE and OPTIONS may carry a body. */
  readonly bodyOnRead: boolean;
  /** `%2F` may be part of a segment. */
  readonly encodedSlash: boolean;
}

/** Every rule of tenant and session that speaks of this origin, by name or by wildcard. */
export function rulesFor(snapshot: PolicySnapshot, origin: string): readonly OriginRule[] {
  const known = snapshot.rulesOf.get(origin);
  if (known !== undefined) return known;
  const found = snapshot.origins.filter((rule) => covers(rule.origin, origin));
  snapshot.rulesOf.set(origin, found);
  return found;
}

/** Features of the transport that some grant asks for. They permit nothing: the decision stays Cedar's. */
export function transportFor(snapshot: PolicySnapshot, origin: string): Transport {
  const rules = rulesFor(snapshot, origin);
  return {
    bodyOnRead: rules.some((rule) => rule.bodyOnRead),
    encodedSlash: rules.some((rule) => rule.encodedSlash),
  };
}

function covers(rule: string, origin: string): boolean {
  if (rule === origin) return true;
  const match = /^(https?):\/\/\*\.([^:]+):([0-9]+)$/.exec(rule);
  const parsed = canonicalOrigin(origin);
  if (match === null || !parsed.ok) return false;
  const [, scheme, domain = '', port] = match;
  return parsed.scheme === scheme && String(parsed.port) === port && isBelow(parsed.host, domain);
}
