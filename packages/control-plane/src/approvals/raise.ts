import {
  type BudgetRaise,
  canonicalize,
  type Intent,
  type RecordValue,
  raiseAction,
  type TenantPolicy,
  type View,
} from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { StoredHold } from '@cordon/store';
import type { LiveSession } from '../sessions/live.ts';
import type { ApprovalParts } from './parts.ts';
import { usedData } from './receipt.ts';
import type { CheckedOrder } from './standing.ts';

/** Nothing flows: a purse is raised here, and nothing of the agent's leaves for it. */
const nothingFlows = {
  ...{ argInteg: 4, argConf: 0, ctxInteg: 4, ctxConf: 0, destInteg: 4, clearance: 3 },
  ...{ readersOk: true, linksOk: true, leakOk: true },
};

export interface RaiseParts {
  readonly raise: BudgetRaise;
  readonly session: LiveSession;
  readonly tenant: TenantPolicy;
  readonly attempt: string;
}

/** The question whether a purse may be raised, in the form in which every question is shown, signed and checked. */
export function raiseOrder({ raise, session, tenant, attempt }: RaiseParts): CheckedOrder {
  const { policy } = session;
  const { account: resource, ...args } = raise;
  const intent: Intent = {
    ...{ v: 'intent/1', tenant: policy.tenant, session: policy.session, agent: policy.agent, chain: policy.chain },
    ...{ salt: policy.salt, action: raiseAction as Intent['action'], resource, args: { ...args } },
    payload: { sha256: digestBytes('').slice('sha256:'.length), bytes: 0, kind: 'none' },
  };
  const digest = digestBytes(JSON.stringify(tenant));
  return {
    ...{ session: policy.session, attempt, payload: null, effect: 'admin', undoable: false, flow: nothingFlows },
    intent: intent as unknown as CheckedOrder['intent'],
    // No engine decides about it.
    policy: { generation: tenant.generation, revision: policy.revision, digest, engine: digestBytes('') },
    ...{
      rung: tenant.rungs?.[0] ?? { quorum: 1, strong: false },
      code: 'budget-empty',
      reasons: [],
      groups: [],
      unnamed: [],
    },
  };
}

/** Equal for every session that meets the same empty purse: they ask one question. */
export function raiseSummary({ account, unit, window, by }: BudgetRaise): string {
  return `${by} more ${unit} for ${account} (${window})`;
}

export interface RaiseUse {
  /** With its one use counted. */
  readonly hold: StoredHold;
  readonly view: View;
  readonly session: LiveSession;
  readonly use: { readonly attempt: string; readonly approvals: readonly string[] };
}

/** The use, of no gateway, is on record before the purse is raised. False: the time that it was asked for is over. */
export async function useForRaise(
  { recorder, raise }: Pick<ApprovalParts, 'recorder' | 'raise'>,
  { hold, view, session, use }: RaiseUse,
): Promise<boolean> {
  const { record } = hold;
  const { id, intent: asked, policy, floor: flow } = record;
  const { attempt, approvals } = use;
  const order = { hold: id, session: hold.session, attempt, intent: asked, policy, flow };
  const taken = {
    ...{ hold, tenant: session.policy.tenant, asked: order, gateway: '', left: 0, approvals },
    ...nobody,
  };
  await recorder.record({ type: 'approval.used', session: hold.session, data: usedData(taken) }, 'disk');
  const { intent } = view;
  const given = { account: intent.resource, ...intent.args } as RecordValue as unknown as BudgetRaise;
  // What the verifier checks the answers against: the question as it was asked.
  const body = canonicalize({ decision: { policy }, facts: { flow }, intent } as unknown as RecordValue);
  return await raise(hold.session, given, { hold: id, attempt, body });
}

/** There is no receipt: it does not leave the control plane. */
const nobody = { people: [], excluded: [] };
