import type { Permit } from '@cordon/policy';
import type { RightToDecide } from './control/right.ts';
import { GatewayError } from './error.ts';
import type { Session } from './session/session.ts';

/**
 * The last synchronous step before an effect: between this check and the bytes nothing is awaited, so a stop that
 * came while the name was resolved or a secret was leased still stops this one.
 * @throws GatewayError `permit-stopped`, `permit-stale`
 */
export function checkStop(permit: Permit, session: Session, right: RightToDecide): Permit {
  if (session.stopped || permit.session !== session.id) {
    throw new GatewayError('permit-stopped', 'the session was stopped before the request was sent');
  }
  if (!right.alive) {
    throw new GatewayError('permit-stale', 'the control plane was lost before the request was sent');
  }
  return permit;
}
