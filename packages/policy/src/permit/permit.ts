import type { Brand, Clock, Intent, Payload, PermitOrder, Recorded } from '@cordon/protocol';
import type { Digest } from '@cordon/protocol/digest';
import { type Allow, tierOf } from '../decide/decision.ts';
import type { Obligations } from '../decide/obligation.ts';
import { PolicyError } from '../error.ts';
import { type Approval, hashIntent } from '../fact/facts.ts';
import { limits } from '../limits.ts';

/** Proof of one recorded allow for one intent. Everything that has an effect outside takes one; no literal makes one. */
export type Permit = Brand<PermitBody, 'Permit'>;

interface PermitBody {
  readonly tenant: string;
  readonly session: string;
  readonly attempt: string;
  readonly intent: Intent;
  readonly intentDigest: string;
  readonly decision: Digest;
  readonly destination: string;
  readonly payload: Payload;
  readonly obligations: Obligations;
  /** The same as the decision's record names them. */
  readonly duties: readonly string[];
  /** Which record allows it. */
  readonly recorded: PermitOrder['recorded'];
  /** By which people's answers it was allowed; a stream is asked about again with the same. */
  readonly approval: Approval;
  readonly generation: number;
  readonly revision: number;
  /** Monotonic time of the minter, by when the effect must have started. */
  readonly untilMs: number;
}

/** Makes and takes back the permits of one process. A permit of another minter is a forged one. */
export interface PermitMinter {
  readonly boot: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** INVARIANT: holds a permit from when it is made until it is consumed, discarded or too old; never twice. */
  readonly open: Map<Permit, number>;
  /** INVARIANT: one allow and one record make one permit; else one decision could have two effects. */
  readonly spent: WeakSet<object>;
}

export function createPermitMinter(clock: Pick<Clock, 'monotonic'>, identity: { readonly boot: string }): PermitMinter {
  return { boot: identity.boot, clock, open: new Map(), spent: new WeakSet() };
}

/**
 * I1: no effect without a record of this very decision, as durable as its risk demands.
 * @throws PolicyError `record-mismatch` `record-spent` `tier-too-low` `permits-exhausted`
 */
export function createPermit(allow: Allow, recorded: Recorded, minter: PermitMinter): Permit {
  if (recorded.decision !== allow.digest) {
    throw new PolicyError('record-mismatch', 'the record is of another decision');
  }
  if (minter.spent.has(allow) || minter.spent.has(recorded)) {
    throw new PolicyError('record-spent', 'this decision has had its permit');
  }
  if (tierOf(allow) === 'disk' && recorded.tier !== 'disk') {
    throw new PolicyError('tier-too-low', 'the record of this decision must be on disk before the effect');
  }
  const now = minter.clock.monotonic();
  dropOld(minter, now);
  if (minter.open.size >= limits.permitsOpenMax) throw new PolicyError('permits-exhausted', 'too many open permits');
  const { intent, record } = allow;
  const untilMs = now + limits.permitStartMs;
  const permit = Object.freeze({
    tenant: intent.tenant,
    session: intent.session,
    attempt: record.attempt,
    intent,
    intentDigest: record.intent,
    decision: allow.digest,
    destination: intent.resource,
    payload: intent.payload,
    obligations: allow.obligations,
    duties: record.obligations,
    recorded: { writer: recorded.writer, wseq: recorded.wseq, tier: recorded.tier },
    approval: allow.approval,
    generation: record.policy.generation,
    revision: record.policy.revision,
    untilMs,
  }) as Permit;
  minter.spent.add(allow).add(recorded);
  minter.open.set(permit, untilMs);
  return permit;
}

/** What is about to be sent, hashed by whoever sends it. */
export interface Effect {
  readonly intentDigest: string;
  readonly payload: Payload;
}

/**
 * The last step before the effect, once per permit (I2: the bytes performed hash to what was decided).
 * @throws PolicyError `permit-used` (also for one that this minter did not make) `permit-expired` `permit-mismatch`
 */
export function consumePermit(permit: Permit, minter: PermitMinter, about: Effect): void {
  if (!minter.open.delete(permit))
    throw new PolicyError('permit-used', 'the permit was used, dropped or never made here');
  if (minter.clock.monotonic() >= permit.untilMs)
    throw new PolicyError('permit-expired', 'the permit is too old to start');
  const { sha256, bytes, kind } = permit.payload;
  const same = about.payload.sha256 === sha256 && about.payload.bytes === bytes && about.payload.kind === kind;
  // The intent is what effects are built from: it must still be the one that was judged, not only be called so.
  if (about.intentDigest !== permit.intentDigest || hashIntent(permit.intent) !== permit.intentDigest || !same) {
    throw new PolicyError('permit-mismatch', 'what is about to be sent is not what was decided');
  }
}

/** For an effect that was given up before it started. */
export function discardPermit(permit: Permit, minter: PermitMinter): void {
  minter.open.delete(permit);
}

/** The map keeps the order of making, so the old ones come first. */
function dropOld(minter: PermitMinter, now: number): void {
  for (const [permit, untilMs] of minter.open) {
    if (untilMs > now) return;
    minter.open.delete(permit);
  }
}
