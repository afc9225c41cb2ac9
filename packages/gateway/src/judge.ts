import { placeOf } from '@cordon/egress';
import type { EntryDraft } from '@cordon/ledger';
import { createPermit, type Permit, rulesFor, tierOf } from '@cordon/policy';
import { createId, type DurabilityTier, type Intent, type Problem, type Recorded } from '@cordon/protocol';
import type { SecretPlan, SecretRefusal } from '@cordon/secrets';
import { factsOf, type Road } from './ask.ts';
import { breakerLevel, noteDenied } from './breaker/breaker.ts';
import type { InForce } from './control/policies.ts';
import { decide } from './decide.ts';
import { GatewayError } from './error.ts';
import { codeOf } from './failure.ts';
import { type Labelled, labelIntent } from './label/intent.ts';
import { decisionEntry, faultEntry, startEntry } from './record.ts';
import { deniedProblem, requestLineOf } from './refuse/denied.ts';
import { type Refusal, refuse } from './refuse/refusal.ts';
import type { Session } from './session/session.ts';
import type { Denied, Verdict } from './verdict.ts';

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

export type Judged =
  | { readonly outcome: 'allow'; readonly permit: Permit; readonly plan: SecretPlan; readonly labelled: Labelled }
  | { readonly outcome: 'deny'; readonly denied: Denied; readonly problem: Problem };

/** For what carries no credential: a tunnel, or a message of a WebSocket. */
export const noSecrets: SecretPlan = { refused: false, uses: [], headers: [] };

/**
 * From an intent to a permit, for whatever leaves: facts, decision, record, permit, in this order and no other.
 * INVARIANT (I1): no permit without a recorded allow; a journal that refuses means no.
 * @throws GatewayError `journal-failed`; PolicyError of `createPermit`
 */
export async function judge(road: Road, asker: Asker, asked: Asked): Promise<Judged> {
  const { session } = asker;
  const { policy, intent, plan } = asked;
  const { snapshot } = policy;
  if (road.diskFull()) throw new GatewayError('journal-failed', 'the disk of the ledger has reached its reserve');
  const context = await road.labels.begin(session, policy.session);
  // INVARIANT: from here to the verdict nothing is awaited: the labels are those of the decision, and the leak meter
  // counts what goes out before anybody else reads it.
  const labelled = labelIntent(context, snapshot, intent, { body: asked.readable, ownCredential: asked.ownCredential });
  const breaker = breakerLevel(road, session, intent);
  const facts = factsOf(road, session, intent, createId('attempt', road.clock, road.random), labelled, breaker);
  const { attempt } = facts;
  const before = road.clock.monotonic();
  const tellSlow = (ms: number): void => slow(road, asker, attempt, ms);
  const { refused: critical } = labelled;
  const verdict = decide({ ...road, session, snapshot, intent, facts, plan, critical, slow: tellSlow });
  if (verdict.outcome === 'allow' && labelled.leaks !== null) context.meter.take(labelled.leaks.chosen);
  const micros = Math.round((road.clock.monotonic() - before) * 1000);
  const recorded = await record(road, asker, { verdict, attempt, at: facts.at, intent: facts.intent, micros, asked });
  if (verdict.outcome === 'allow') {
    const permit = createPermit(verdict.allow, recorded, road.minter);
    return { outcome: 'allow', permit, plan: verdict.plan, labelled };
  }
  session.denied.note(road.clock.monotonic());
  noteDenied(road, session, verdict);
  const problem = deniedProblem(verdict, attempt, placeOf(intent.resource, rulesFor(snapshot, intent.resource)));
  session.denials.add({
    at: facts.at,
    code: verdict.code,
    attempt,
    intent: facts.intent,
    request: requestLineOf(intent),
    detail: problem.detail,
    next_steps: problem.next_steps,
  });
  return { outcome: 'deny', denied: verdict, problem };
}

/** Whose account it is: ours when a value of ours goes along, which takes the place of whatever the agent had put there. */
export function isOurs(plan: SecretPlan | SecretRefusal, query: ReadonlyArray<readonly [string, string]>): boolean {
  if (plan.refused || plan.uses.length === 0) return false;
  return !query.some(([name]) => /^(?:api[_-]?key|key|(?:access_)?token)$/i.test(name));
}

/** Null: it may be asked about. Else the session has been denied too often in this minute, and waits. */
export function deniedTooOften(road: Road, session: Session): Refusal | null {
  const deniedPerMinuteMax = road.limits.deniedPerMinuteMax;
  const retryAfterSeconds = session.denied.waitSeconds(road.clock.monotonic(), deniedPerMinuteMax);
  if (retryAfterSeconds === null) return null;
  const detail = `A session may be denied ${deniedPerMinuteMax} times a minute; until then nothing of it is decided.`;
  return refuse('too-many-denials', detail, { retryAfterSeconds, nextSteps: ['stop asking for what was denied'] });
}

/** A step of ours broke. A journal that is down says so itself, once; a line each time would let an agent fill the log. */
export function refusalOfFault(road: Road, error: unknown, what: string): Refusal {
  if (codeOf(error) === 'journal-failed') {
    return refuse('ledger-unavailable', `The decision could not be recorded. ${what}`, {
      nextSteps: ['cordon status', 'free space on the disk of $CORDON_HOME'],
      retryAfterSeconds: 5,
    });
  }
  road.report('error', codeOf(error), error instanceof Error ? (error.stack ?? error.message) : 'not an error');
  return refuse('fault', `An internal step failed. ${what}`);
}

interface Made {
  readonly verdict: Verdict;
  readonly attempt: string;
  readonly at: string;
  readonly intent: string;
  readonly micros: number;
  readonly asked: Asked;
}

async function record(road: Road, { session, channel }: Asker, made: Made): Promise<Recorded> {
  const { verdict } = made;
  const before = session.attempts.last;
  const numbered = session.attempts.take(made.attempt, made.intent, made.at, channel);
  const drafts: EntryDraft[] = [decisionEntry(numbered, verdict, made.micros)];
  if (verdict.outcome === 'allow') drafts.push(startEntry(verdict.allow, made.attempt, made.asked.payload));
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
function tierFor(verdict: Verdict, session: Session): { readonly tier: DurabilityTier; readonly lease: string | null } {
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
