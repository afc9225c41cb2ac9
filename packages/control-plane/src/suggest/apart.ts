import type { Decision } from '@cordon/policy';
import type { SuggestApart } from '@cordon/protocol';
import type { Tried } from './tried.ts';

type Apart = Pick<SuggestApart, 'who' | 'why'>;

/** Why no grant that could be suggested mends this, and whose word would; null: a session's grant mends it. */
export function apartOf(tried: Tried, now: Decision | null): Apart | null {
  const { code, by, undialled } = tried;
  if (undialled) return undialledWhy(code);
  if (by === 'gateway') return gatewayWhy(code);
  if (now === null) return { who: 'never', why: 'the record of this request is no longer kept' };
  const { record } = now;
  const reasons = record.reasons.join(', ');
  switch (record.code) {
    case 'no-grant': {
      const others = record.reasons.filter((layer) => layer !== 'session');
      if (others.length === 0) return null;
      return { who: 'tenant', why: `the ${others.join(' and ')} layer does not permit it either` };
    }
    case 'flow-R1':
    case 'flow-R2':
    case 'flow-R3':
    case 'flow-R4':
    case 'flow-R8':
      // The grant is there, and does not say who gets it or how private it may be; a narrower one says both.
      return null;
    case 'flow-R6':
      return { who: 'session', why: 'it shows people links or markup that anybody could have written; leave them out' };
    case 'forbidden':
      return record.reasons.every((id) => id.startsWith('session/'))
        ? { who: 'session', why: `a deny of the session's own forbids it: ${reasons}` }
        : { who: 'tenant', why: `a policy forbids it, and no grant lifts that: ${reasons}` };
    case 'over-limit':
      return { who: 'session', why: `the body is larger than a grant allows; raise its limits.bytes: ${reasons}` };
    case 'session-stopped':
    case 'stale-policy':
      return { who: 'passing', why: 'it was stopped, or not decided in time: no question of grants' };
    default:
      return { who: 'never', why: `no grant lifts this: ${reasons}` };
  }
}

/** Allowed, and then not dialled: the address that the name has is not known here. */
function undialledWhy(code: string): Apart {
  return code === 'address-forbidden'
    ? {
        who: 'session',
        why: 'its address is not public; a private one needs `addresses` in the grant, any other the tenant',
      }
    : { who: 'tenant', why: `it was allowed and not dialled (${code})` };
}

function gatewayWhy(code: string): Apart {
  switch (code) {
    case 'rate-limited':
      return { who: 'session', why: 'the rate of a grant was used up; raise its limits.rate' };
    case 'secret-misplaced':
      return { who: 'session', why: 'a secret stood where it is not bound; see `secrets` in cordon.yaml' };
    case 'credential-unavailable':
      return { who: 'session', why: 'a secret could not be had; cordon secrets list' };
    default:
      return { who: 'passing', why: `no question of grants (${code})` };
  }
}
