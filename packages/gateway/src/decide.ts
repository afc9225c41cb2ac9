import { type Approval, authorize, type Decision, type Facts, type PolicySnapshot } from '@cordon/policy';
import type { Clock, Intent } from '@cordon/protocol';
import type { SecretPlan, SecretRefusal } from '@cordon/secrets';
import type { GatewayLimits } from './limits.ts';
import type { Session } from './session/session.ts';
import { deniedByGateway, deniedByPolicy, type Verdict } from './verdict.ts';

export interface Question {
  readonly session: Session;
  readonly snapshot: PolicySnapshot;
  readonly intent: Intent;
  readonly facts: Facts;
  /** What people have answered to this very intent; mostly nothing. */
  readonly approval: Approval;
  readonly plan: SecretPlan | SecretRefusal;
  /** A critical argument has no single reading. */
  readonly critical: { readonly message: string; readonly mend: string | null } | null;
  readonly clock: Clock;
  /** Milliseconds of a processor that this thread has had. */
  readonly computed: () => number;
  readonly limits: GatewayLimits;
  /** A try was slow; recorded, so that a machine that cannot keep up shows. */
  readonly slow: (ms: number) => void;
}

/** Policy's word, and what the gateway adds to it. It only ever adds a no. */
export function decide(question: Question): Verdict {
  const { plan, clock, session } = question;
  const timed = authorizeInTime(question);
  const { decision } = timed;
  if (plan.refused) {
    return deniedByGateway(decision, plan.code, plan.detail, { nextSteps: plan.nextSteps });
  }
  if (timed.late) {
    return deniedByGateway(decision, 'slow-decision', 'The decision took too long, so the answer is no.', {
      nextSteps: ['try again; if it stays, the host is too busy to decide'],
    });
  }
  const { critical } = question;
  // What nobody may reach is said first; that a flow rule objects follows from the argument that could not be read.
  if (critical !== null && (decision.outcome !== 'deny' || decision.record.code.startsWith('flow-R'))) {
    const nextSteps = critical.mend === null ? [] : [`send it as ${JSON.stringify(critical.mend)}`];
    return deniedByGateway(decision, 'critical-not-canonical', critical.message, { nextSteps });
  }
  if (decision.outcome === 'hold') return { outcome: 'hold', hold: decision, plan };
  if (decision.outcome === 'deny') return deniedByPolicy(decision);
  const foreign = plan.uses.find((use) => decision.obligations.leases?.includes(use.name) === false);
  if (foreign !== undefined) {
    return deniedByGateway(decision, 'secret-misplaced', `The grant does not lease the secret ${foreign.name}.`);
  }
  const waitMs = session.rates.take(decision, question.facts.counters?.tick ?? clock.monotonic());
  if (waitMs > 0) {
    const seconds = Math.ceil(waitMs / 1000);
    return deniedByGateway(decision, 'rate-limited', `The rate of this grant is used up for ${seconds} s.`, {
      nextSteps: [`try again in ${seconds} s`],
      retryAfterSeconds: seconds,
    });
  }
  return { outcome: 'allow', allow: decision, plan };
}

/**
 * `authorize` knows no deadline, so that a slow machine never changes what a replay computes; the shell keeps one. A first
 * try that was slow (a cold engine, a machine that did other things) is asked once more, since the function is pure. That
 * one counts by what this thread computed: an agent that keeps all cores busy must not be what denies.
 */
function authorizeInTime(question: Question): { decision: Decision; late: boolean } {
  const { snapshot, intent, facts, approval, clock, computed, limits } = question;
  const before = clock.monotonic();
  let decision = authorize(snapshot, snapshot.principal, intent, facts, approval);
  const took = clock.monotonic() - before;
  let late = false;
  if (took > limits.decisionMs) {
    question.slow(took);
    const had = computed();
    decision = authorize(snapshot, snapshot.principal, intent, facts, approval);
    const used = computed() - had;
    late = used > limits.decisionMs;
    if (late) question.slow(used);
  }
  // A trapped engine has denied; the next request gets a fresh instance that passed its self-test, or a deny again.
  if (!snapshot.engine.usable) snapshot.engine.renew();
  return { decision, late };
}
