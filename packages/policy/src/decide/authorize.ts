import type { Intent, Principal } from '@cordon/protocol';
import { checkApproval, checkFacts } from '../fact/check.ts';
import { type Approval, type ApprovalFacts, digestFacts, type Facts, hashIntent } from '../fact/facts.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import { readsApproval } from '../gate/reads.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { isAction } from './action.ts';
import type { Decision, DenyCode } from './decision.ts';
import { type Placed, placeAmong } from './focus.ts';
import { approversOf } from './obligation.ts';
import { allow, type Case, deny, digestEntities, hold, openCase } from './record.ts';
import { createRequest } from './request.ts';
import { createSlice, isComplete } from './slice.ts';
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

  const known = knownPlace(snapshot, intent, facts);
  const slice = known?.slice ?? createSlice(principal, intent.action, intent.resource, facts);
  if (slice === null) return deny(hashed, 'request-invalid', ['resource']);
  const judged: Case = { ...hashed, ...digestEntities(slice, hashed.intentDigest) };
  if (known !== null) return judge(judged, known);
  if (!isComplete(slice)) return deny(judged, 'slice-incomplete', []);
  const placed = placeAmong(snapshot.policies.values(), intent.action, slice);
  if (!hasTags(facts)) snapshot.places.set(keyOf(intent), placed);
  return judge(judged, placed);
}

/**
 * A slice without tags depends on nothing but who, what and where, so a session's few origins are placed once.
 * INVARIANT: `principal` is the snapshot's own here, and only a complete slice is kept.
 */
function knownPlace(snapshot: PolicySnapshot, intent: Intent, facts: Facts): Placed | null {
  return hasTags(facts) ? null : (snapshot.places.get(keyOf(intent)) ?? null);
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
function judge(judged: Case, placed: Placed): Decision {
  const { snapshot } = judged;
  const real = verdictWith(judged, placed, judged.approval);
  if (real.kind === 'permitted') {
    // People have agreed, and the permits that this rests on want others; a weaker answer would let it through.
    if (!isFromApprovers(judged.approval, real.permits)) {
      return deny(judged, 'approval-unsatisfiable', naming(real.permits));
    }
    return allow(judged, real.permits);
  }
  const highest = snapshot.rungs.at(-1);
  // Where no policy reads the approval every evaluation would give the same answer.
  if (!snapshot.readsApproval || real.code === 'request-invalid') return deny(judged, real.code, real.reasons);
  // What no approval would lift comes first: without a grant it is of no use to hear of a flow rule.
  const best = verdictWith(judged, placed, highest ?? everybody);
  if (best.kind === 'refused') return deny(judged, best.code, best.reasons);
  if (highest === undefined) return deny(judged, real.code, real.reasons);
  const { rung, permits } = lowestOf(judged, placed, { rung: highest, permits: best.permits });
  const groups = approversOf(permits);
  if (groups?.length === 0) return deny(judged, 'approval-unsatisfiable', naming(permits));
  return hold(judged, { rung, groups: groups ?? [] }, ...whyHeld(real, best.permits));
}

interface Lifted {
  readonly rung: ApprovalFacts;
  readonly permits: readonly CompiledPolicy[];
}

/** The weakest approval that would do, and what it would rest on. */
function lowestOf(judged: Case, placed: Placed, best: Lifted): Lifted {
  for (const rung of judged.snapshot.rungs) {
    if (rung === best.rung) break;
    const verdict = verdictWith(judged, placed, rung);
    if (verdict.kind === 'permitted') return { rung, permits: verdict.permits };
  }
  return best;
}

/** Whether who answered was asked among those whom the permits name. An approval without answers is only supposed. */
function isFromApprovers({ ids = [], groups = [] }: Approval, permits: readonly CompiledPolicy[]): boolean {
  const wanted = ids.length === 0 ? null : approversOf(permits);
  return wanted === null || (groups.length > 0 && groups.every((group) => wanted.includes(group)));
}

function naming(permits: readonly CompiledPolicy[]): string[] {
  return permits.filter(({ duties }) => duties.approvers !== null).map(({ id }) => id);
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

function verdictWith(judged: Case, placed: Placed, approval: ApprovalFacts): Verdict {
  const { snapshot, intent, facts } = judged;
  const request = createRequest(intent, facts, approval, placed.slice);
  if (request === null) return { kind: 'refused', code: 'request-invalid', reasons: ['intent'] };
  return verdictOf(snapshot, snapshot.engine.evaluate(placed.head, request.context(placed.head.focus.view)));
}

/** The first member in which snapshot, principal and intent do not speak of the same session. */
function strangeMember(own: Principal, principal: Principal, intent: Intent): string | null {
  for (const name of ['tenant', 'session', 'agent', 'chain'] as const) {
    if (principal[name] !== own[name] || intent[name] !== own[name]) return name;
  }
  return principal.person === own.person ? null : 'person';
}
