import type { OriginRule } from '@cordon/protocol';
import { checkDestination, parseDestination } from './destination.ts';
import type { EgressRefusal } from './refusal.ts';

/** What stands in the way of dialling a destination, as far as is known without asking a name server. */
export type Place =
  | { readonly kind: 'open' }
  /** A grant has to name the range. */
  | { readonly kind: 'private'; readonly address: string }
  | { readonly kind: 'tenant' | 'never'; readonly why: string };

/** This host's own addresses are the gateway's to know; it refuses them whatever is granted here. */
const noHost = { self: [], control: [] };

/** `rules`: what the tenant has said about origins; a session's own say nothing about this host's addresses. */
export function placeOf(resource: string, rules: readonly OriginRule[] = []): Place {
  // A tunnel goes to the same places as a request; only its resource is written otherwise.
  const destination = parseDestination(resource.replace(/^(tcp|tls):/, 'https:'));
  if ('refused' in destination) return { kind: 'never', why: destination.detail };
  const refused = checkDestination(destination, rules, noHost);
  return refused === null ? { kind: 'open' } : placeOfRefusal(refused, destination.host);
}

function placeOfRefusal({ code, addressClass, detail }: EgressRefusal, host: string): Place {
  if (code === 'port-forbidden') return { kind: 'tenant', why: detail };
  switch (addressClass) {
    case 'private':
    case 'shared':
      return { kind: 'private', address: host };
    case 'loopback':
    case 'link-local':
    case 'self':
      return { kind: 'tenant', why: detail };
    default:
      return { kind: 'never', why: detail };
  }
}

const isAllow = (step: string): boolean => step.includes('cordon run --allow');

/**
 * Next steps of a denial, of which policy alone wrote: it would allow some places that are not dialled all the same, and
 * nobody is sent to grant these for nothing.
 */
export function stepsTowards(place: Place, steps: readonly string[], session: string): readonly string[] {
  if (!steps.some(isAllow)) return steps;
  const others = steps.filter((step) => !isAllow(step));
  switch (place.kind) {
    case 'open':
      return steps;
    case 'private':
      return [`a private address needs a grant that names it: cordon policy suggest ${session}`, ...others];
    case 'tenant':
      return [...steps, `the tenant's policy has to name it too: ${place.why}`];
    case 'never':
      return [`no grant reaches it: ${place.why}`, ...others];
  }
}
