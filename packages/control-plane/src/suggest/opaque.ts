import { placeOf } from '@cordon/egress';
import type { OriginRule, SuggestApart, SuggestedGrant } from '@cordon/protocol';
import type { RefusalIndex, StoredRefusal } from '@cordon/store';
import { limits } from '../limits.ts';
import { range } from './draft.ts';

export interface Opaque {
  readonly grants: readonly SuggestedGrant[];
  readonly apart: readonly SuggestApart[];
}

/**
 * For clients that do not accept our certificate: they pin their own keys, and only a tunnel that nobody reads serves
 * them. Proposed where `tls-client-refused` was recorded, never for anything else, and not for what is never dialled: a
 * program only has to break off a handshake to be recorded so. `rules`: what the tenant has said about origins.
 */
export async function opaqueGrants(
  refusals: RefusalIndex,
  rules: readonly OriginRule[],
  choice: { agent?: string | undefined; since?: string | undefined; sessions: readonly string[] },
): Promise<Opaque> {
  const { agent, since = '', sessions } = choice;
  const found = new Map<string, StoredRefusal[]>();
  for (const query of agent === undefined ? sessions.map((session) => ({ session })) : [{ agent }]) {
    const { items } = await refusals.list({
      ...query,
      code: 'tls-client-refused',
      order: 'desc',
      limit: limits.pageItemsMax,
    });
    for (const refusal of items) {
      if (refusal.resource === null || refusal.at < since) continue;
      found.set(refusal.resource, [...(found.get(refusal.resource) ?? []), refusal]);
    }
  }
  const grants: SuggestedGrant[] = [];
  const apart: SuggestApart[] = [];
  for (const [resource, times] of found) {
    const tunnel = resource.replace(/^https:/, 'tls:');
    const place = placeOf(tunnel, rules);
    if (place.kind === 'open') grants.push(opaqueGrant(tunnel, times, null));
    else if (place.kind === 'private') grants.push(opaqueGrant(tunnel, times, place.address));
    else apart.push({ summary: tunnel, code: 'tls-client-refused', who: place.kind, why: place.why, ...seen(times) });
  }
  return { grants, apart };
}

/** `times`: newest first. */
function seen(times: readonly StoredRefusal[]): { count: number; first: string; last: string; attempt: null } {
  return { count: times.length, first: times.at(-1)?.at ?? '', last: times[0]?.at ?? '', attempt: null };
}

function opaqueGrant(tunnel: string, times: readonly StoredRefusal[], address: string | null): SuggestedGrant {
  return {
    allow: tunnel.replace(/:443$/, ''),
    methods: null,
    limits: null,
    addresses: address === null ? null : [range(address)],
    encodedSlash: false,
    clearance: 'private',
    effect: 'share',
    ...seen(times),
    requests: 0,
    warnings: [
      "the program did not accept the session's certificate: this gives it an opaque connection",
      'everything goes to this host unread: no path, no method, no secret is judged any more',
      'any program can bring this about by breaking off a handshake: take it over only for one that you know',
      ...(address === null ? [] : ['a private address: something in your own network']),
    ],
    also: null,
  };
}
