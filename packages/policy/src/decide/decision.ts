import type { Brand, DecisionCode, DecisionRecord, DurabilityTier, Intent, RecordValue } from '@cordon/protocol';
import { assertNever } from '@cordon/protocol';
import type { Digest } from '@cordon/protocol/digest';
import type { Approval, ApprovalFacts, Facts } from '../fact/facts.ts';
import type { Obligations } from './obligation.ts';

/** `slow-decision` is the shell's word, which has a clock; `authorize` has none. */
export type DenyCode = Exclude<DecisionCode, 'allowed' | 'slow-decision'>;

interface Common {
  /** The canonical record; `digest` is over this and nothing else. */
  readonly record: DecisionRecord;
  readonly digest: Digest;
  readonly intent: Intent;
  readonly facts: Facts;
  /** As it was judged by; kept beside the entry, so that a replay judges by the same. */
  readonly approval: Approval;
  /** The slice that was judged, to be kept beside the entry; null when the intent had no canonical reading. */
  readonly entities: RecordValue;
  /** One line for people: what was refused and by what. Not recorded. */
  readonly title: string;
  /** What the reader can do now, one step each. Not recorded. */
  readonly nextSteps: readonly string[];
}

/** Only `authorize` makes one, so that a permit cannot come from a literal. */
export type Allow = Brand<Common & { readonly outcome: 'allow'; readonly obligations: Obligations }, 'Allow'>;
export type Deny = Brand<Common & { readonly outcome: 'deny'; readonly code: DenyCode }, 'Deny'>;
export type Hold = Brand<
  Common & { readonly outcome: 'hold'; readonly rung: ApprovalFacts; readonly groups: readonly string[] },
  'Hold'
>;
export type Decision = Allow | Deny | Hold;

/** How durable the record must be before the effect. The first lease towards a destination asks for `disk` beside this. */
export function tierOf(decision: Decision): DurabilityTier {
  switch (decision.outcome) {
    case 'deny':
      return 'os';
    case 'hold':
      return 'disk';
    case 'allow':
      return tierOfAllow(decision);
    default:
      return assertNever(decision, 'outcome');
  }
}

function tierOfAllow({ facts, obligations, record }: Allow): DurabilityTier {
  if (obligations.durable || record.approvals.length > 0) return 'disk';
  switch (facts.effect) {
    case 'read':
    case 'write':
      return 'os';
    case 'share':
      return facts.flow.destInteg >= 2 ? 'os' : 'disk';
    case 'exec':
    case 'spend':
    case 'admin':
    case 'destroy':
      return 'disk';
    default:
      return assertNever(facts.effect, 'effect');
  }
}
