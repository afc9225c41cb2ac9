import type { Allow, Approval, Decision, EndorsementCode, Facts, HeldCode, Hold } from '@cordon/policy';
import type { DecisionRecord, Intent, RecordValue } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import type { SecretPlan } from '@cordon/secrets';

/** Why the gateway itself says no, beside what policy says. These are recorded as decisions too. */
export type ShellDenyCode =
  | 'secret-misplaced'
  | 'credential-unavailable'
  | 'rate-limited'
  | 'slow-decision'
  | 'critical-not-canonical'
  | 'hold-unsupported'
  | 'hold-unshowable'
  | 'hold-unavailable'
  | 'hold-limit'
  | 'hold-over'
  | 'approval-unsatisfiable'
  | HeldCode
  | EndorsementCode;

/** A deny as it is recorded and answered, whoever made it. */
export interface Denied {
  readonly outcome: 'deny';
  readonly by: 'policy' | 'gateway';
  readonly code: string;
  readonly status: number;
  readonly record: DecisionRecord;
  readonly digest: string;
  readonly intent: Intent;
  readonly facts: Facts;
  readonly approval: Approval;
  readonly entities: RecordValue;
  readonly detail: string;
  readonly nextSteps: readonly string[];
  readonly retryAfterSeconds: number | null;
}

/** What came of a question: an allow keeps the plan of its secrets, a deny needs none. */
export type Verdict = { readonly outcome: 'allow'; readonly allow: Allow; readonly plan: SecretPlan } | Held | Denied;

/** What is recorded: a yes or a no. */
export type Settled = Exclude<Verdict, Held>;

/** Neither yes nor no until people have been asked. */
export interface Held {
  readonly outcome: 'hold';
  readonly hold: Hold;
  readonly plan: SecretPlan;
}

/** Policy's deny; of a hold, what is recorded and answered while nobody has said yes. */
export function deniedByPolicy(decision: Exclude<Decision, { outcome: 'allow' }>): Denied {
  return {
    outcome: 'deny',
    by: 'policy',
    code: decision.record.code,
    status: 403,
    record: decision.record,
    digest: decision.digest,
    intent: decision.intent,
    facts: decision.facts,
    approval: decision.approval,
    entities: decision.entities,
    detail: decision.title,
    nextSteps: decision.nextSteps,
    retryAfterSeconds: null,
  };
}

/**
 * The gateway's own deny over what policy said: same record, its code and outcome replaced, so that it can be told
 * from a replayable decision by `by: "gateway"`.
 */
export function deniedByGateway(
  decision: Decision,
  code: ShellDenyCode,
  detail: string,
  options: { nextSteps?: readonly string[]; retryAfterSeconds?: number } = {},
): Denied {
  const record: DecisionRecord = { ...decision.record, outcome: 'deny', rung: null, code, obligations: [], next: [] };
  return {
    outcome: 'deny',
    by: 'gateway',
    code,
    status: code === 'rate-limited' ? 429 : 403,
    record,
    digest: digestRecord('decision', { ...record }),
    intent: decision.intent,
    facts: decision.facts,
    approval: decision.approval,
    entities: decision.entities,
    detail,
    nextSteps: options.nextSteps ?? [],
    retryAfterSeconds: options.retryAfterSeconds ?? null,
  };
}
