import {
  type BudgetRaise,
  canonicalize,
  type Hold,
  type Intent,
  type RecordValue,
  raiseAction,
  type TenantPolicy,
  type View,
} from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { StoredHold } from '@cordon/store';
import type { RaisedBy } from '../budgets/budgets.ts';
import type { LiveSession } from '../sessions/live.ts';
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

/** What an approved hold of this kind gives. */
export function raiseIn(intent: Pick<Intent, 'resource' | 'args'>): BudgetRaise {
  return { account: intent.resource, ...intent.args } as RecordValue as unknown as BudgetRaise;
}

/** Equal for every session that meets the same empty purse: they ask one question. */
export function raiseSummary({ account, unit, window, by }: BudgetRaise): string {
  return `${by} more ${unit} for ${account} (${window})`;
}

/** What the ledger says of the use that the control plane takes itself: of no gateway. */
export function usedForRaise(hold: StoredHold, tenant: string, attempt: string, approvals: readonly string[]) {
  const { record, session } = hold;
  const { id, intent, policy, floor: flow } = record;
  const asked = { hold: id, session, attempt, intent, policy, flow };
  return usedData({ hold, tenant, asked, gateway: '', left: 0, approvals, people: [], excluded: [] });
}

/** What the verifier checks the answers against: the question as it was asked. */
export function raisedBy({ id, policy, floor: flow }: Hold, { intent }: View, attempt: string): RaisedBy {
  const body = { decision: { policy }, facts: { flow }, intent } as unknown as RecordValue;
  return { hold: id, attempt, body: canonicalize(body) };
}
