import { createId, type Hold, type Random, type RecordValue, type TenantPolicy, type View } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import type { StoredHold } from '@cordon/store';
import type { LiveSession } from '../sessions/live.ts';
import type { CheckedOrder } from './standing.ts';
import { createView, summaryOf } from './view.ts';

export interface Asking {
  readonly order: CheckedOrder;
  readonly intent: string;
  readonly session: LiveSession;
  readonly tenant: TenantPolicy;
  /** The last of its kind that was approved. */
  readonly before: NonNullable<View['before']> | null;
  readonly random: Random;
  readonly nowMs: number;
  readonly holdMs: number;
  /** A question about a purse: what it is called. */
  readonly budget?: string | undefined;
}

/** A question to people, whole: the record that answers name, and the view that they read. */
export function createQuestion({
  order,
  intent,
  session,
  tenant,
  before,
  random,
  nowMs,
  holdMs,
  budget,
}: Asking): StoredHold {
  const id = createId('hold', { now: () => nowMs }, random);
  const [heldAt, expires] = [nowMs, nowMs + holdMs].map((ms) => new Date(ms).toISOString()) as [string, string];
  const layers = [...tenant.layers, session.policy.layer];
  const view = createView({ hold: id, order, session, layers, before, heldAt, expires });
  const { policy, flow: floor, rung, groups, attempt } = order;
  const nonce = Buffer.from(random.bytes(16)).toString('hex');
  const shown = digestRecord('view', view as unknown as RecordValue);
  const record: Hold = {
    ...{ v: 'hold/1', id, kind: budget === undefined ? 'intent' : 'budget', intent, attempt, policy, floor },
    ...{ rung, groups, nonce, view: shown, expires },
  };
  return {
    ...{ record, session: order.session, agent: session.agent, state: 'open', version: 1, at: heldAt, used: 0 },
    ...{ reason: '', summary: budget ?? summaryOf(view), view, answers: [] },
  };
}
