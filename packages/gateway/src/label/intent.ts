import {
  type Chosen,
  createAskingProvenance,
  createEndorsedProvenance,
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
  /** Who or what gets it and was named by nobody. */
  readonly unnamed: readonly string[];
  readonly facts: Required<Pick<FactsInput, 'flow' | 'labels' | 'args' | 'nums'>>;
}

export interface Labelling {
  readonly body: Uint8Array;
  readonly ownCredential: boolean;
  /** Names that an endorsement stands for. */
  readonly named?: readonly string[];
  /** The purses above the session have paid for the most that a read may tell. */
  readonly mayLeak: boolean;
}

export function labelIntent(
  context: Context,
  snapshot: PolicySnapshot,
  intent: Intent,
  { body, ownCredential, mayLeak, named = [] }: Labelling,
): Labelled {
  const { meter, label } = context;
  const sinks = sinksOf(snapshot, intent);
  const asked = new Set<string>();
  const provenance = createAskingProvenance(createEndorsedProvenance(context.provenance, named), asked);
  const room = {
    costOf: (chosen: Chosen) => meter.costOf(chosen),
    hasRoomFor: (cost: number) => mayLeak && meter.hasRoomFor(cost),
  };
  const answer = flowOf({ intent, body, provenance, sinks, meter: room, ownCredential });
  const { flow, critical, leaks } = answer;
  const labels = {
    ctx: digestLabel(label),
    grade: provenance.grade,
    leakBytes: leaks?.bytes ?? 0,
    leakUsed: meter.used,
  };
  const unnamed = [...asked].sort();
  return {
    ...answer,
    context,
    label,
    sinks,
    unnamed,
    facts: { flow, labels, args: critical.args, nums: critical.nums },
  };
}
