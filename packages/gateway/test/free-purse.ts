import { Purse } from '../src/budget/purse.ts';
import { limits } from '../src/limits.ts';

/** One that nothing limits, for a session that stands alone. */
export function freePurse(): Purse {
  return new Purse({
    isLimited: () => false,
    limits,
    now: () => 0,
    empty: () => undefined,
    take: () => Promise.resolve({ requests: null, bytes: null }),
    giveBack: () => undefined,
  });
}
