import { type DecisionRecord, type Intent, type Outcome, type RecordValue, sealRecord } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import type { Approval, ApprovalFacts, Facts } from '../fact/facts.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { adviseOn } from './advice.ts';
import type { Allow, Deny, DenyCode, Hold } from './decision.ts';
import { approversText, foldObligations } from './obligation.ts';
import type { Slice } from './slice.ts';

/** What is known about one call of `authorize` so far; later steps fill in the digests. */
export interface Case {
  readonly snapshot: PolicySnapshot;
  readonly intent: Intent;
  readonly facts: Facts;
  /** What people have really answered, as it was given; the rungs that are only tried are never recorded as such. */
  readonly approval: Approval;
  readonly attempt: string;
  readonly intentDigest: string;
  readonly factsDigest: string;
  readonly entitiesDigest: string;
  readonly entities: RecordValue;
}

/** Stands in a record for what could not be hashed, or was not reached. */
const noDigest = `sha256:${'0'.repeat(64)}`;

/** Reads nothing that may be missing: the facts of a hostile or broken caller are judged later. */
export function openCase(snapshot: PolicySnapshot, intent: Intent, facts: Facts, approval: Approval): Case {
  const attempt: unknown = (facts as Facts | null | undefined)?.attempt;
  return {
    snapshot,
    intent,
    facts,
    approval,
    attempt: typeof attempt === 'string' && /^[a-z0-9_-]{1,64}$/.test(attempt) ? attempt : '',
    intentDigest: noDigest,
    factsDigest: noDigest,
    entitiesDigest: noDigest,
    entities: null,
  };
}

/** The intent's hash is in the record, so its salt protects the entities too. */
export function digestEntities(slice: Slice, intentDigest: string): Pick<Case, 'entities' | 'entitiesDigest'> {
  const record = { entities: slice.entities, intent: intentDigest, v: 'entities/1' };
  const entities = sealRecord(record) as unknown as RecordValue;
  return { entities, entitiesDigest: digestRecord('entities', entities) };
}

export function allow(judged: Case, permits: readonly CompiledPolicy[]): Allow | Deny {
  const folded = foldObligations(judged.intent.action, permits);
  if (folded.unknown.length > 0) return deny(judged, 'obligation-unknown', folded.unknown);
  const { bytes } = folded.obligations;
  const reasons = permits.map((policy) => policy.id);
  if (bytes !== null && judged.intent.payload.bytes > bytes) return deny(judged, 'over-limit', reasons);
  const approvals = [...(judged.approval.ids ?? [])].sort();
  const record = recordOf(judged, { outcome: 'allow', code: 'allowed', reasons, obligations: folded.texts, approvals });
  return {
    ...common(judged, record),
    outcome: 'allow',
    obligations: folded.obligations,
    title: 'allowed',
    nextSteps: [],
  } as unknown as Allow;
}

export function deny(judged: Case, code: DenyCode, reasons: readonly string[]): Deny {
  const next = code === 'no-grant' && reasons.includes('session') ? ['explain', 'grant'] : ['explain'];
  const record = recordOf(judged, { outcome: 'deny', code, reasons, next });
  const advice = adviseOn(code, judged.intent, judged.attempt, record.reasons);
  return { ...common(judged, record), outcome: 'deny', code, ...advice } as unknown as Deny;
}

/** Who is asked: so many people, of one of these groups; no group: anybody. */
export interface Asked {
  readonly rung: ApprovalFacts;
  readonly groups: readonly string[];
}

export function hold(judged: Case, { rung, groups }: Asked, code: DenyCode, reasons: readonly string[]): Hold {
  const steps = { quorum: rung.quorum, strong: rung.strong };
  const obligations = groups.length === 0 ? [] : [approversText(groups)];
  const next = ['approve', 'explain'];
  const record = recordOf(judged, { outcome: 'hold', code, reasons, obligations, next, rung: steps });
  // A flow rule says what it objects to, and what else than an approval would help.
  const why = code.startsWith('flow-') ? adviseOn(code, judged.intent, judged.attempt, record.reasons) : null;
  return {
    ...common(judged, record),
    outcome: 'hold',
    rung: steps,
    groups,
    title: `waits for approval${groups.length === 0 ? '' : ` by ${groups.join(' or ')}`} (${reasons.join(', ')})${why === null ? '' : `: ${why.title}`}`,
    nextSteps: ['cordon approvals', ...(why?.nextSteps ?? [`cordon policy explain ${judged.attempt}`])],
  } as unknown as Hold;
}

interface Result {
  readonly outcome: Outcome;
  readonly code: string;
  readonly reasons: readonly string[];
  readonly obligations?: readonly string[];
  readonly next?: readonly string[];
  readonly rung?: ApprovalFacts;
  readonly approvals?: readonly string[];
}

/** No duration and no free text, so that replay gives the same bytes. */
function recordOf(judged: Case, result: Result): DecisionRecord {
  const { generation, revision, digest, engine } = judged.snapshot;
  return sealRecord({
    approvals: result.approvals ?? [],
    attempt: judged.attempt,
    code: result.code,
    entities: judged.entitiesDigest,
    facts: judged.factsDigest,
    intent: judged.intentDigest,
    next: [...(result.next ?? [])].sort(),
    obligations: [...(result.obligations ?? [])],
    outcome: result.outcome,
    policy: { digest, engine: engine.digest, generation, revision },
    reasons: [...new Set(result.reasons)].sort(),
    rung: result.rung ?? null,
    v: 'decision/1',
  });
}

function common(judged: Case, record: DecisionRecord) {
  const { intent, facts, approval, entities } = judged;
  const digest = digestRecord('decision', record as unknown as RecordValue);
  return { record, digest, intent, facts, approval, entities };
}
