import type { SuggestedGrant } from '@cordon/protocol';
import type { RefusalIndex, StoredRefusal } from '@cordon/store';
import { limits } from '../limits.ts';

/**
 * For clients that do not accept our certificate: they pin their own keys, and only a tunnel that nobody reads serves
 * them. Proposed where `tls-client-refused` was recorded, never for anything else.
 */
export async function opaqueGrants(
  refusals: RefusalIndex,
  choice: { agent?: string | undefined; since?: string | undefined; sessions: readonly string[] },
): Promise<SuggestedGrant[]> {
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
  return [...found].map(([resource, times]) => opaqueGrant(resource, times));
}

/** `times`: newest first. */
function opaqueGrant(resource: string, times: readonly StoredRefusal[]): SuggestedGrant {
  return {
    allow: resource.replace(/^https:/, 'tls:').replace(/:443$/, ''),
    methods: null,
    limits: null,
    addresses: null,
    encodedSlash: false,
    effect: 'share',
    count: times.length,
    first: times.at(-1)?.at ?? '',
    last: times[0]?.at ?? '',
    attempt: null,
    requests: 0,
    warnings: [
      "the program did not accept the session's certificate: this gives it an opaque connection",
      'everything goes to this host unread: no path, no method, no secret is judged any more',
    ],
    also: null,
  };
}
