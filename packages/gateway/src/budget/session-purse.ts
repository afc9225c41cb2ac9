import type { Channel, Clock, GatewayMethods, GatewayUplink } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { Purse } from './purse.ts';

interface SessionPurseParts {
  /** To the control plane, which keeps the whole; null while it is away. */
  readonly channel: () => Channel<GatewayUplink, GatewayMethods> | null;
  readonly empty: () => void;
  readonly clock: Clock;
  readonly limits: GatewayLimits;
}

export function sessionPurse(session: string, { channel, empty, clock, limits }: SessionPurseParts): Purse {
  return new Purse({
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
