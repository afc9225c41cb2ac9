import { placeOf } from '@cordon/egress';
import type { EntryDraft } from '@cordon/ledger';
import {
  type Approval,
  createPermit,
  type Facts,
  levelOf,
  noApproval,
  type Permit,
  rulesFor,
  tierOf,
} from '@cordon/policy';
import { createId, type DurabilityTier, type Intent, type Problem, type Recorded } from '@cordon/protocol';
import type { SecretPlan, SecretRefusal } from '@cordon/secrets';
import { factsOf, type Road } from './ask.ts';
import { noteDenied, readBreakers } from './breaker/breaker.ts';
import { costOf, leakReserve } from './budget/cost.ts';
import type { InForce } from './control/policies.ts';
import { decide } from './decide.ts';
import { GatewayError } from './error.ts';
import { codeOf } from './failure.ts';
import { type Labelled, type Labelling, labelIntent } from './label/intent.ts';
import { decisionEntry, faultEntry, startEntry } from './record.ts';
import { deniedProblem, requestLineOf } from './refuse/denied.ts';
import type { Session } from './session/session.ts';
import type { Denied, Settled, Verdict } from './verdict.ts';

/** Who asks, and over which connection. */
export interface Asker {
  readonly session: Session;
  readonly channel: string;
}

export interface Asked {
  readonly policy: InForce;
  readonly intent: Intent;
  readonly plan: SecretPlan | SecretRefusal;
  /** The payload, decoded, as its labels are worked out from it. */
  readonly readable: Uint8Array;
  /** A credential of ours goes along, so the account at the far side is the person's. */
  readonly ownCredential: boolean;
  /** Kept beside the record while it is small. */
  readonly payload: Buffer | null;
}

export interface Permitted {
  readonly outcome: 'allow';
  readonly permit: Permit;
  readonly plan: SecretPlan;
  /** What it was decided by, which may be a later one than was asked under. */
  readonly policy: InForce;
  readonly labelled: Labelled;
}

export type Judged = Permitted | { readonly outcome: 'deny'; readonly denied: Denied; readonly problem: Problem };

/** One try at an intent: the facts of this moment and what was decided by them. */
export interface Try {
  readonly facts: Facts;
  readonly labelled: Labelled;
  readonly verdict: Verdict;
  readonly micros: number;
}

/** What people have answered, for an attempt that is known already; asked for when its facts are. */
export interface Answered {
  readonly attempt: string;
  readonly approvalOf?: (facts: Facts) => Approval;
  /** By the labels of now; null: what people have named does not count for this. */
  readonly endorsedBy?: (labelled: Labelled) => Endorsed | null;
}

/** Names that people stand for, and by which records. */
export interface Endorsed {
  readonly id: string;
  readonly named: readonly string[];
  readonly approval: Approval;
}

/** The facts of now, and the decision. @throws GatewayError `journal-failed` while nothing could be recorded */
export async function askOnce(
  road: Road,
  asker: Asker,
  asked: Omit<Asked, 'payload'>,
  answered: Answered | null = null,
): Promise<Try> {
  if (road.diskFull()) throw new GatewayError('journal-failed', 'the disk of the ledger has reached its reserve');
  const { session } = asker;
  const { policy, intent, plan, readable: body, ownCredential } = asked;
  const cost = costOf(intent);
  const quotaOk = await session.purse.pay(cost);
  const reserve = leakReserve(session.purse, intent);
  const mayLeak = reserve === null || (await session.purse.pay(reserve));
  const { snapshot } = policy;
  const context = await road.labels.begin(session, policy.session);
  // INVARIANT: from here to the verdict nothing is awaited: the labels are those of the decision, and the leak meter
  // counts what goes out before anybody else reads it.
  const given = { body, ownCredential, mayLeak };
  const unendorsed = labelIntent(context, snapshot, intent, given);
  const endorsed = answered?.endorsedBy?.(unendorsed) ?? null;
  const labelled = endorsed === null ? unendorsed : withNames(unendorsed, endorsed, snapshot, intent, given);
  const counters = readBreakers(road, session, intent);
  const attempt = answered?.attempt ?? createId('attempt', road.clock, road.random);
  const facts = factsOf(road, session, intent, attempt, labelled, { breaker: levelOf(counters), counters, quotaOk });
  const approval = endorsed?.approval ?? answered?.approvalOf?.(facts) ?? noApproval;
  const before = road.clock.monotonic();
  const tellSlow = (ms: number): void => slow(road, asker, attempt, ms);
  const { refused: critical } = labelled;
  const verdict = decide({ ...road, session, snapshot, intent, facts, approval, plan, critical, slow: tellSlow });
  // What is not done is not paid; who waits for a person pays when it is done.
  if (verdict.outcome !== 'allow' && quotaOk) session.purse.refund(cost);
  const told = verdict.outcome === 'allow' ? labelled.leaks : null;
  if (told !== null) context.meter.take(told.chosen);
  if (reserve !== null && mayLeak)
    session.purse.refund({ leak: Math.max(0, (reserve.leak ?? 0) - (told?.bytes ?? 0)) });
  return { facts, labelled, verdict, micros: Math.round((road.clock.monotonic() - before) * 1000) };
}

/** The facts say by which endorsement, and what would be without it, so that a replay can ask that too. */
function withNames(
  { context, flow }: Labelled,
  { id, named }: Endorsed,
  snapshot: InForce['snapshot'],
  intent: Intent,
  labelling: Labelling,
): Labelled {
  const labelled = labelIntent(context, snapshot, intent, { ...labelling, named });
  const labels = { ...labelled.facts.labels, endorsed: { id, destInteg: flow.destInteg } };
  return { ...labelled, facts: { ...labelled.facts, labels } };
}

/**
 * From a decision to its record, and from a recorded allow to a permit.
 * INVARIANT (I1): no permit without a recorded allow; a journal that refuses means no.
 * @throws GatewayError `journal-failed`; PolicyError of `createPermit`
 */
export async function conclude(
  road: Road,
  asker: Asker,
  asked: Asked,
  made: Try & { readonly verdict: Settled },
): Promise<Judged> {
  const { session } = asker;
  const { policy, intent } = asked;
  const { verdict, facts, labelled } = made;
  const recorded = await record(road, asker, asked, made);
  if (verdict.outcome === 'allow') {
    const permit = createPermit(verdict.allow, recorded, road.minter);
    return { outcome: 'allow', permit, plan: verdict.plan, policy, labelled };
  }
  session.denied.note(road.clock.monotonic());
  noteDenied(road, session, verdict);
  const place = placeOf(intent.resource, rulesFor(policy.snapshot, intent.resource));
  const problem = deniedProblem(verdict, facts.attempt, place);
  remember(session, facts, intent, problem);
  return { outcome: 'deny', denied: verdict, problem };
}

/** For the agent's own page. */
function remember(session: Session, facts: Facts, intent: Intent, problem: Problem): void {
  session.denials.add({
    at: facts.at,
    code: problem.code,
    attempt: facts.attempt,
    intent: facts.intent,
    request: requestLineOf(intent),
    detail: problem.detail,
    next_steps: problem.next_steps,
  });
}

async function record(
  road: Road,
  { session, channel }: Asker,
  { payload }: Asked,
  { verdict, facts, micros }: Try & { readonly verdict: Settled },
): Promise<Recorded> {
  const { attempt } = facts;
  const before = session.attempts.last;
  const numbered = session.attempts.take(attempt, facts.intent, facts.at, channel);
  const drafts: EntryDraft[] = [decisionEntry(numbered, verdict, micros)];
  if (verdict.outcome === 'allow') drafts.push(startEntry(verdict.allow, attempt, payload));
  try {
    const { tier, lease } = tierFor(verdict, session);
    const [recorded] = await road.journal.appendTogether(drafts, tier);
    if (recorded === undefined) throw new GatewayError('journal-failed', 'the journal returned no record');
    if (lease !== null) session.leased.add(lease);
    return recorded;
  } catch (cause: unknown) {
    session.attempts.rollback(numbered, before);
    throw new GatewayError('journal-failed', 'the decision could not be recorded', { cause });
  }
}

/** Beside policy's own rule: the first lease of a secret towards a destination waits for the disk. */
function tierFor(verdict: Settled, session: Session): { readonly tier: DurabilityTier; readonly lease: string | null } {
  if (verdict.outcome !== 'allow') return { tier: 'os', lease: null };
  const { allow, plan } = verdict;
  if (plan.uses.length === 0) return { tier: tierOf(allow), lease: null };
  const lease = `${allow.intent.resource} ${plan.uses.map((use) => use.name).join(' ')}`;
  return session.leased.has(lease) ? { tier: tierOf(allow), lease: null } : { tier: 'disk', lease };
}

function slow(road: Road, { session, channel }: Asker, attempt: string, ms: number): void {
  const detail = `a decision took ${Math.round(ms)} ms`;
  road.report('warn', 'slow-decision', detail);
  const fault = { code: 'slow-decision', detail, channel, attempt, suppressed: 0 };
  road.journal.append(faultEntry(session.id, fault), 'os').catch((error: unknown) => {
    road.report('error', codeOf(error), 'a slow decision could not be recorded');
  });
}
