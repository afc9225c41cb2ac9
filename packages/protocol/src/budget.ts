/** What a budget counts (validation.md §7): requests that went out, and bytes of bodies, both ways together. */
export type BudgetUnit = 'requests' | 'bytes';
export const budgetUnits: readonly BudgetUnit[] = ['requests', 'bytes'];

export type Amounts = { readonly [U in BudgetUnit]: number };
/** Null: as much as is asked for. */
export type Given = { readonly [U in BudgetUnit]: number | null };

export type BudgetPeriod = 'day' | 'month' | 'ever';

/** At most so much, from one boundary in UTC to the next. */
export interface Budget {
  readonly per: BudgetPeriod;
  readonly requests: number | null;
  readonly bytes: number | null;
}

/** Whose budgets a tenant sets; each of them has a purse of its own. */
export type BudgetHolder = 'tenant' | 'person' | 'agent' | 'session';
export type Budgets = { readonly [H in BudgetHolder]?: Budget };
