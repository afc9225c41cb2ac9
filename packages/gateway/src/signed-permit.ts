import { acceptSigned, createSigningOrder, type Permit, type SignedPermit } from '@cordon/policy';
import { type HttpArgs, permitHeader } from '@cordon/protocol';
import type { SecretPlan } from '@cordon/secrets';
import type { PermitSource } from './control/permit-desk.ts';
import { GatewayError } from './error.ts';
import { type HttpRequestArgs, wireTarget } from './http/adapter.ts';

/**
 * The permit in the form that leaves the host, where the grant names an effector. Asked for last, so that it is young
 * when it is sent; made from the permit alone, so there is none for what was not decided and recorded.
 * @throws GatewayError `permit-unavailable`; PolicyError `permit-mismatch`
 */
export async function signedFor(
  source: PermitSource,
  permit: Permit,
  plan: SecretPlan,
  signal: AbortSignal,
): Promise<SignedPermit | null> {
  if (permit.obligations.audience === null) return null;
  const args = permit.intent.args as HttpRequestArgs;
  const order = createSigningOrder(permit, { target: wireTarget(args), credentials: credentialHeaders(plan) });
  return acceptSigned(order, await source.sign(order.claims, signal));
}

/**
 * The headers of a request with its signed permit. INVARIANT: what the grant promises the effector goes along, and
 * nothing but the form of this very permit does.
 * @throws GatewayError `permit-mismatch`
 */
export function withPermit(
  headers: HttpArgs['headers'],
  permit: Permit,
  signed: SignedPermit | null,
): HttpArgs['headers'] {
  if ((permit.obligations.audience === null) !== (signed === null) || (signed !== null && signed.permit !== permit)) {
    throw new GatewayError('permit-mismatch', 'the signed permit is not that of this request');
  }
  return signed === null ? headers : [...headers, [permitHeader, signed.token]];
}

/** Names only: the values are not there yet, and are covered by nothing. */
function credentialHeaders({ uses, headers }: SecretPlan): string[] {
  return uses.map((use) => headers[use.header]?.[0].toLowerCase() ?? '');
}
