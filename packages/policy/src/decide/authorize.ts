import type { Intent, Principal } from '@cordon/protocol';
import { checkApproval, checkFacts } from '../fact/check.ts';
import { type Approval, type ApprovalFacts, digestFacts, type Facts, hashIntent } from '../fact/facts.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import { readsApproval } from '../gate/reads.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { isAction } from './action.ts';
import type { Decision, DenyCode } from './decision.ts';
import { allow, type Case, deny, digestEntities, hold, openCase } from './record.ts';
import { createRequest } from './request.ts';
import { createSlice, isComplete, type Slice } from './slice.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/**
 * The one judge. Pure: the same arguments give the same decision, bit for bit. Total: it never throws, and whatever
 * goes wrong is a deny. It knows no deadline and no clock; what time it was is in the facts.
 *
 * INVARIANT: `allow` only if Cedar allows, no policy failed, the slice is whole, and every layer of the snapshot has
 * a permit of its own among the reasons.
 */
export function authorize(
  snapshot: PolicySnapshot,
  principal: Principal,
  intent: Intent,
  facts: Facts,
  approval: Approval,
): Decision {
  const opened = openCase(snapshot, intent, facts, approval);
  try {
    return decide(opened, principal);
  } catch {
    return deny(opened, 'request-invalid', ['exception']);
  }
}

function decide(opened: Case, principal: Principal): Decision {
  const { snapshot, intent, facts, approval } = opened;
  const wrong = checkFacts(facts) ?? checkApproval(approval);
  if (wrong !== null) return deny(opened, 'request-invalid', [`facts/${wrong}`]);
  const hashed: Case = { ...opened, intentDigest: hashIntent(intent), factsDigest: digestFacts(facts) };
  if (facts.intent !== hashed.intentDigest) return deny(hashed, 'request-invalid', ['facts/intent']);
  const stranger = strangeMember(snapshot.principal, principal, intent);
  if (stranger !== null) return deny(hashed, 'request-invalid', [`principal/${stranger}`]);
  if (!isAction(intent.action)) return deny(hashed, 'unknown-action', []);
  if (facts.at >= facts.freshUntil) return deny(hashed, 'stale-policy', ['lease']);
  if (snapshot.expires !== null && facts.at >= snapshot.expires) return deny(hashed, 'stale-policy', ['expired']);
  if (snapshot.stopped) return deny(hashed, 'session-stopped', ['session']);

  const known = knownSlice(snapshot, intent, facts);
  const slice = known ?? createSlice(principal, intent.action, intent.resource, facts);
  if (slice === null) return deny(hashed, 'request-invalid', ['resource']);
  const placed: Case = { ...hashed, ...digestEntities(slice, hashed.intentDigest) };
  if (known === null) {
    if (!isComplete(slice)) return deny(placed, 'slice-incomplete', []);
    if (!hasTags(facts)) snapshot.slices.set(keyOf(intent), slice);
  }
  return judge(placed, slice);
}

/**
 * A slice without tags depends on nothing but who, what and where, so a session's few origins are placed once.
 * INVARIANT: `principal` is the snapshot's own here, and only a complete slice is kept.
 */
function knownSlice(snapshot: PolicySnapshot, intent: Intent, facts: Facts): Slice | null {
  return hasTags(facts) ? null : (snapshot.slices.get(keyOf(intent)) ?? null);
}

function keyOf({ action, resource }: Intent): string {
  return `${action} ${resource}`;
}

function hasTags({ args, nums }: Facts): boolean {
  return Object.keys(args).length > 0 || Object.keys(nums).length > 0;
}

/**
 * Three outcomes from one judge: with the approval that exists; else, if even the strongest approval would not do,
 * deny; else hold for the weakest that does. Sound because approval only ever helps, which the load gate keeps.
 */
function judge(placed: Case, slice: Slice): Decision {
  const { snapshot } = placed;
  const real = verdictWith(placed, slice, placed.approval);
  if (real.kind === 'permitted') return allow(placed, real.permits);
  const highest = snapshot.rungs.at(-1);
  // Where no policy reads the approval every evaluation would give the same answer.
  if (!snapshot.readsApproval || real.code === 'request-invalid') return deny(placed, real.code, real.reasons);
  // What no approval would lift comes first: without a grant it is of no use to hear of a flow rule.
  const best = verdictWith(placed, slice, highest ?? everybody);
  if (best.kind === 'refused') return deny(placed, best.code, best.reasons);
  if (highest === undefined) return deny(placed, real.code, real.reasons);
  const rung = snapshot.rungs.find((each) => verdictWith(placed, slice, each).kind === 'permitted') ?? highest;
  return hold(placed, rung, ...whyHeld(real, best.permits));
}

/** A forbid that an approval lifts says itself why. Where a permit waits for one, that permit is what to name. */
function whyHeld(
  { code, reasons }: Extract<Verdict, { kind: 'refused' }>,
  permits: readonly CompiledPolicy[],
): [DenyCode, readonly string[]] {
  if (code !== 'no-grant') return [code, reasons];
  const lacking = permits.filter(({ id, reads }) => reasons.includes(layerOf(id)) && readsApproval(reads));
  return lacking.length === 0 ? [code, reasons] : ['approval-required', lacking.map(({ id }) => id)];
}

function layerOf(id: string): string {
  return id.slice(0, id.indexOf('/'));
}

/** An approval that nobody can give; asked about where there are no rungs, and only for the reason of a deny. */
const everybody: ApprovalFacts = { quorum: 16, strong: true };

function verdictWith(placed: Case, slice: Slice, approval: ApprovalFacts): Verdict {
  const { snapshot, intent, facts } = placed;
  const request = createRequest(intent, facts, approval, slice);
  if (request === null) return { kind: 'refused', code: 'request-invalid', reasons: ['intent'] };
  return verdictOf(snapshot, snapshot.engine.evaluate(snapshot.source, request));
}

/** The first member in which snapshot, principal and intent do not speak of the same session. */
function strangeMember(own: Principal, principal: Principal, intent: Intent): string | null {
  for (const name of ['tenant', 'session', 'agent', 'chain'] as const) {
    if (principal[name] !== own[name] || intent[name] !== own[name]) return name;
  }
  return principal.person === own.person ? null : 'person';
}
