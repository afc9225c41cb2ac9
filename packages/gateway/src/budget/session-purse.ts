import type { BudgetUnit, Channel, Clock, GatewayMethods, GatewayUplink } from '@cordon/protocol';
import type { InForce } from '../control/policies.ts';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { Purse } from './purse.ts';

interface SessionPurseParts {
  readonly policy: () => InForce | null;
  /** To the control plane, which keeps the whole; null while it is away. */
  readonly channel: () => Channel<GatewayUplink, GatewayMethods> | null;
  readonly empty: () => void;
  readonly clock: Clock;
  readonly limits: GatewayLimits;
}

export function sessionPurse(session: string, { policy, channel, empty, clock, limits }: SessionPurseParts): Purse {
  return new Purse({
    isLimited: (unit) => isLimited(policy(), unit),
    limits,
    empty,
    now: () => clock.monotonic(),
    take: async (needed, wanted) => {
      const control = channel();
      if (control === null) throw new GatewayError('control-lost', 'no control plane to take a slice from');
      return await control.call('budget.take', { session, needed, wanted }, limits.budgetTimeoutMs);
    },
    // What is lost on the way counts as spent.
    giveBack: (amounts) => channel()?.send('budget.back', { session, amounts }),
  });
}

function isLimited(policy: InForce | null, unit: BudgetUnit): boolean {
  // Nothing is decided without a policy, so nothing is paid either.
  if (policy === null) return true;
  const { session, tenant } = policy;
  return [...Object.values(tenant.budgets ?? {}), session.budget].some((budget) => (budget?.[unit] ?? null) !== null);
}
