import { hash } from 'node:crypto';
import type { Pin, UpstreamAnswer, Upstreams } from '@cordon/egress';
import { consumePermit, type Permit, type PermitMinter, type SignedPermit } from '@cordon/policy';
import { injectSecrets, type LeaseSet, type SecretPlan } from '@cordon/secrets';
import { GatewayError } from './error.ts';
import { type HttpRequestArgs, wireTarget } from './http/adapter.ts';
import { digestOfNothing } from './http/body.ts';
import { withPermit } from './signed-permit.ts';

export interface Effect {
  readonly upstreams: Upstreams;
  readonly minter: PermitMinter;
  readonly pin: Pin;
  readonly plan: SecretPlan;
  readonly lease: LeaseSet | null;
  readonly signed: SignedPermit | null;
  readonly body: Buffer | null;
  readonly signal: AbortSignal;
  readonly firstByteTimeoutMs: number;
  /** The agent speaks HTTP/2. */
  readonly h2: boolean;
}

/** Methods that may be sent once more when a reused socket died before any answer (RFC 9110 §9.2.2). */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Spends the permit on exactly this body and returns what it names (I2).
 * @throws PolicyError `permit-*`; GatewayError `permit-mismatch`
 */
export function consume(permit: Permit, plan: SecretPlan, minter: PermitMinter, body: Buffer | null): HttpRequestArgs {
  const args = permit.intent.args as HttpRequestArgs;
  const sha256 = body === null ? digestOfNothing : hash('sha256', body);
  // The plan knows where values go; it must speak of the very headers that were decided about.
  if (plan.headers !== args.headers)
    throw new GatewayError('permit-mismatch', 'the headers are not those of the permit');
  consumePermit(permit, minter, {
    intentDigest: permit.intentDigest,
    payload: { sha256, bytes: body?.length ?? 0, kind: permit.payload.kind },
  });
  return args;
}

/**
 * Sends what the permit names. Everything comes from the permit's own intent, not from the request; the body is
 * hashed once more here, so what goes out is what was decided (I2). Secrets are put in after the last place that logs.
 * @throws PolicyError `permit-*`; CordonError `upstream-*`
 */
export function perform(permit: Permit, effect: Effect): Promise<UpstreamAnswer> {
  const { body, lease, plan, signed } = effect;
  const args = consume(permit, plan, effect.minter, body);
  return effect.upstreams.exchange(
    {
      session: permit.session,
      pin: effect.pin,
      credential: lease?.identity ?? null,
      method: args.method,
      target: wireTarget(args),
      headers: withPermit(lease === null ? args.headers : injectSecrets(plan, lease), permit, signed),
      body,
      retry: idempotent.has(args.method),
      firstByteTimeoutMs: effect.firstByteTimeoutMs,
      h2: effect.h2,
    },
    effect.signal,
  );
}
