import {
  digestLabel,
  type FactsInput,
  type FlowAnswer,
  flowOf,
  type Label,
  type PolicySnapshot,
  type Sink,
  sinksOf,
} from '@cordon/policy';
import type { Intent } from '@cordon/protocol';
import type { Context } from './context.ts';

/** One intent with its labels, as they were when its last byte had come. */
export interface Labelled extends FlowAnswer {
  readonly context: Context;
  /** The session's context then. */
  readonly label: Label;
  readonly sinks: readonly Sink[];
  readonly facts: Required<Pick<FactsInput, 'flow' | 'labels' | 'args' | 'nums'>>;
}

export function labelIntent(
  context: Context,
  snapshot: PolicySnapshot,
  intent: Intent,
  { body, ownCredential }: { readonly body: Uint8Array; readonly ownCredential: boolean },
): Labelled {
  const { provenance, meter, label } = context;
  const sinks = sinksOf(snapshot, intent);
  const answer = flowOf({ intent, body, provenance, sinks, meter, ownCredential });
  const { flow, critical, leaks } = answer;
  const labels = {
    ctx: digestLabel(label),
    grade: provenance.grade,
    leakBytes: leaks?.bytes ?? 0,
    leakUsed: meter.used,
  };
  return { ...answer, context, label, sinks, facts: { flow, labels, args: critical.args, nums: critical.nums } };
}
