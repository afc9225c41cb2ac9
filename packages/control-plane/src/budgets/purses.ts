import type { Budget, Budgets, BudgetUnit, SessionPolicy } from '@cordon/protocol';
import type { BudgetAccount, LimitedAccount } from '@cordon/store';

/** A purse: whose, since when it counts, and what may be taken from it. */
export interface Purse extends BudgetAccount {
  readonly budget: Budget;
}

type Spender = Pick<SessionPolicy, 'tenant' | 'person' | 'agent' | 'session' | 'budget'>;

/** Everything that a session spends from: a slice is taken from all of them or from none, so a session opens no fresh purse. */
export function pursesOf(spender: Spender, budgets: Budgets, nowMs: number): Purse[] {
  const { tenant, person, agent, session, budget } = spender;
  const said: ReadonlyArray<readonly [string, Budget | undefined]> = [
    [`tenant/${tenant}`, budgets.tenant],
    [`person/${person}`, budgets.person],
    [`agent/${agent}`, budgets.agent],
    [`session/${session}`, budgets.session],
    [`session/${session}/own`, budget],
  ];
  return said.flatMap(([account, each]) =>
    each === undefined ? [] : [{ account, budget: each, window: windowOf(each.per, nowMs) }],
  );
}

/** Those that set a limit for this unit. */
export function limitedBy(purses: readonly Purse[], unit: BudgetUnit): LimitedAccount[] {
  return purses.flatMap(({ account, window, budget }) => {
    const max = budget[unit] ?? null;
    return max === null ? [] : [{ account, window, max }];
  });
}

/** The day or the month in UTC, written so that a later one compares greater. */
function windowOf(per: Budget['per'], nowMs: number): string {
  const date = new Date(nowMs).toISOString();
  switch (per) {
    case 'day':
      return date.slice(0, 10);
    case 'month':
      return date.slice(0, 7);
    case 'ever':
      return 'ever';
  }
}
