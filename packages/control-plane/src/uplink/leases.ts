import { type Clock, CordonError, type GatewayUplink } from '@cordon/protocol';
import { bindingAllowsOrigin, type SecretStore } from '@cordon/secrets';
import { type ControlErrorCode, refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { SessionRegistry } from '../sessions/registry.ts';
import type { StopTable } from '../stops/table.ts';

export interface LeaseParts {
  readonly secrets: SecretStore;
  readonly registry: SessionRegistry;
  readonly stops: StopTable;
  readonly recorder: Recorder;
  readonly clock: Clock;
}

type LeaseParams = GatewayUplink['lease']['params'];

/**
 * A secret's value for one destination, to a gateway that asked for it with a decision in hand. The gateway parses
 * hostile bytes, so session, stop and binding are checked again here; the lease is on disk before the value leaves.
 */
export async function leaseSecret(params: LeaseParams, parts: LeaseParts): Promise<GatewayUplink['lease']['result']> {
  const session = parts.registry.find(params.session);
  if (session === null) throw refuse('session-ended', `no session ${params.session} is alive`);
  if (parts.stops.of(session).length > 0) throw refuse('session-stopped', `session ${params.session} is stopped`);
  const binding = session.policy.secrets.find((known) => known.name === params.secret);
  if (binding === undefined || !bindingAllowsOrigin(binding, params.destination)) {
    throw refuse('secret-misplaced', `secret ${params.secret} is not bound to ${params.destination}`);
  }
  const leased = await parts.secrets.lease(params.secret);
  if (leased === null) {
    throw refusal('secret-unknown', `there is no secret ${params.secret}`, [`cordon secrets set ${params.secret}`]);
  }
  const expiresAt = new Date(parts.clock.now() + limits.secretLeaseMs).toISOString();
  const { secret, destination, attempt } = params;
  using value = leased.value;
  await parts.recorder.record(
    {
      type: 'lease',
      session: params.session,
      data: { secret, version: leased.version, destination, attempt, expiresAt },
    },
    'disk',
  );
  // INVARIANT: a stop that came during the write wins; after this line nothing is awaited.
  if (parts.stops.of(session).length > 0) throw refuse('session-stopped', `session ${params.session} is stopped`);
  return { value: value.reveal((bytes) => bytes.toString('latin1')), expiresAt };
}

function refuse(code: ControlErrorCode, message: string): CordonError<ControlErrorCode> {
  return new CordonError(code, message, { expose: true });
}
