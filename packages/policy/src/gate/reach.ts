import { canonicalOrigin, canonicalTunnel } from '../canonical/origin.ts';
import type { PolicyJson } from '../engine/answer.ts';
import { namespace } from '../fact/schema.ts';

/** The hosts that a permit names in its head: one of them, or every name strictly below a domain. */
export type Reach =
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'below'; readonly domain: string };

/** Null: it names none there; what its conditions may say is for a decision alone. */
export function reachOf({ effect, resource }: Pick<PolicyJson, 'effect' | 'resource'>): Reach | null {
  if (effect !== 'permit' || !('entity' in resource)) return null;
  const entity = '__entity' in resource.entity ? resource.entity.__entity : resource.entity;
  const { type, id } = entity;
  switch (type) {
    case `${namespace}::Domain`:
      return { kind: 'below', domain: id };
    case `${namespace}::Host`:
      return { kind: 'host', host: id };
    case `${namespace}::Origin`: {
      const origin = canonicalOrigin(id);
      const read = origin.ok ? origin : canonicalTunnel(id);
      return read.ok && read.kind === 'name' ? { kind: 'host', host: read.host } : null;
    }
    default:
      return null;
  }
}
