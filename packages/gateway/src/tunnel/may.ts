import { rulesFor } from '@cordon/policy';
import type { Road } from '../ask.ts';
import type { Session } from '../session/session.ts';

/** `tcp://host:port` or `tls://host:port`. */
export function tunnelTo(scheme: 'tcp' | 'tls', origin: string): string {
  return origin.replace(/^[a-z]+:/, `${scheme}:`);
}

/**
 * Whether some grant speaks of a tunnel to there. It permits nothing: it says that one may be meant, so that silence or
 * TLS is not met as if it were not, and the decision follows.
 */
export function mayTunnel(road: Road, session: Session, resource: string): boolean {
  const policy = road.policyOf(session.id);
  return policy !== null && rulesFor(policy.snapshot, resource).length > 0;
}
