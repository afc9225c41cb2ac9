import type { EntryDraft } from '@cordon/ledger';
import { createPermit, type Facts, tierOf, transportFor } from '@cordon/policy';
import { createId, type DurabilityTier, type Intent, type Recorded } from '@cordon/protocol';
import { planSecrets, type SecretPlan, type SecretRefusal } from '@cordon/secrets';
import { type Ask, factsOf, type Road } from './ask.ts';
import type { InForce } from './control/policies.ts';
import { decide } from './decide.ts';
import { effect } from './effect.ts';
import { GatewayError } from './error.ts';
import { codeOf } from './failure.ts';
import { toIntent } from './http/adapter.ts';
import { type Body, readBody } from './http/body.ts';
import type { HeaderPairs } from './http/head.ts';
import { forwardedHeaders } from './http/headers.ts';
import { readPayload } from './http/payload.ts';
import { readTarget } from './http/target.ts';
import { decisionEntry, faultEntry, startEntry } from './record.ts';
import { answerProblem } from './refuse/answer.ts';
import { deniedProblem, requestLineOf } from './refuse/denied.ts';
import { isRefusal, type Refusal, refuse } from './refuse/refusal.ts';
import { Holding } from './session/held.ts';
import type { Session } from './session/session.ts';
import type { Denied, Verdict } from './verdict.ts';

/**
 * The one road from bytes to an effect. Every step takes what the one before returned, so none can be left out:
 * no permit without a recorded allow, no pin without a permit, no bytes without a consumed permit (I1, I2).
 * Returns a refusal when there is no single reading; answers in every other case.
 */
export async function travel(road: Road, ask: Ask): Promise<Refusal | null> {
  using holding = new Holding(ask.session.held);
  const headers = forwardedHeaders(ask.head.headers);
  // Read by the headers that go with it: one that `Connection` names away must not say what the body is (I2).
  const body = await readBody(ask.request.body, ask.head.framing, headers, road.limits, holding);
  if (isRefusal(body)) return body;
  ask.signal.throwIfAborted();
  const policy = road.policyOf(ask.session.id);
  if (policy === null) return withoutPolicy();
  const { snapshot } = policy;
  const read = readIntent(ask, policy, headers, body);
  if (isRefusal(read)) return read;
  const { intent, plan } = read;
  const facts = factsOf(road, ask.session, intent, createId('attempt', road.clock, road.random));
  const asked = road.clock.monotonic();
  const verdict = decide({
    ...road,
    session: ask.session,
    snapshot,
    intent,
    facts,
    plan,
    slow: (ms) => slow(road, ask, facts.attempt, ms),
  });
  const micros = Math.round((road.clock.monotonic() - asked) * 1000);
  const recorded = await record(road, ask, { verdict, facts, body, micros });
  if (verdict.outcome !== 'allow') {
    answerDenied(ask, verdict, facts.attempt);
    return null;
  }
  const permit = createPermit(verdict.allow, recorded, road.minter);
  await effect(road, ask, permit, { snapshot, plan: verdict.plan, body });
  return null;
}

interface ReadIntent {
  readonly intent: Intent;
  readonly plan: SecretPlan | SecretRefusal;
}

/** The adapter: after this everything hostile was parsed. */
function readIntent(ask: Ask, policy: InForce, headers: HeaderPairs, body: Body): ReadIntent | Refusal {
  const { head } = ask;
  const { endpoint, method } = head;
  const target = readTarget(head.target, transportFor(policy.snapshot, endpoint.origin).encodedSlash);
  if (isRefusal(target)) return target;
  const payload = readPayload(body);
  if (isRefusal(payload)) return payload;
  const { path } = target;
  // A placeholder hides behind percent-encoding as well.
  const query = [...target.query, ...target.query.map(decodedPair)];
  const plan = planSecrets({ origin: endpoint.origin, method, path, query, headers }, policy.session.secrets);
  const kept = plan.refused ? headers : plan.headers;
  return { intent: toIntent(policy.session, { method, endpoint, target, headers: kept, payload }), plan };
}

function decodedPair([name, value]: readonly [string, string]): readonly [string, string] {
  return [decoded(name), decoded(value)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Everything that a decision was asked with, until it is recorded. */
interface Made {
  readonly verdict: Verdict;
  readonly facts: Facts;
  readonly body: Body;
  readonly micros: number;
}

/** INVARIANT (I1): nothing follows an allow before this has returned; a journal that refuses means no. */
async function record(road: Road, ask: Ask, made: Made): Promise<Recorded> {
  const { session } = ask;
  const { verdict, facts } = made;
  const before = session.attempts.last;
  const numbered = session.attempts.take(facts.attempt, facts.intent, facts.at, ask.channel);
  const drafts: EntryDraft[] = [decisionEntry(numbered, verdict, made.micros)];
  if (verdict.outcome === 'allow') drafts.push(startEntry(verdict.allow, facts.attempt, made.body.bytes));
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

function answerDenied(ask: Ask, denied: Denied, attempt: string): void {
  const problem = deniedProblem(denied, attempt);
  ask.session.denials.add({
    at: denied.facts.at,
    code: denied.code,
    attempt,
    intent: denied.record.intent,
    request: requestLineOf(denied.intent),
    detail: problem.detail,
    next_steps: problem.next_steps,
  });
  const { retryAfterSeconds } = denied;
  answerProblem(ask.response, problem, { close: false, retryAfterSeconds, method: ask.head.method });
}

function slow(road: Road, ask: Ask, attempt: string, ms: number): void {
  const detail = `a decision took ${Math.round(ms)} ms`;
  road.report('warn', 'slow-decision', detail);
  const fault = { code: 'slow-decision', detail, channel: ask.channel, attempt, suppressed: 0 };
  road.journal.append(faultEntry(ask.session.id, fault), 'os').catch((error: unknown) => {
    road.report('error', codeOf(error), 'a slow decision could not be recorded');
  });
}

/** The control plane has not said what this session may do, or is gone: nothing is decided on a guess. */
export function withoutPolicy(): Refusal {
  return refuse('stale-policy', 'This session has no policy in force, so nothing is allowed.', {
    nextSteps: ['try again in a few seconds', 'cordon status'],
  });
}
