/**
 * What a budget counts (validation.md §7): requests that went out; bytes of bodies, both ways together; what reads told by their
 * own bytes to where their session's data may not go; questions to people; seconds of sessions, from request to request.
 */
export type BudgetUnit = 'requests' | 'bytes' | 'leak' | 'holds' | 'seconds';
export const budgetUnits: readonly BudgetUnit[] = ['requests', 'bytes', 'leak', 'holds', 'seconds'];

/** What is not named is nothing. */
export type Amounts = { readonly [U in BudgetUnit]?: number };
/** Null, or not named: as much as is asked for. */
export type Given = { readonly [U in BudgetUnit]?: number | null };

export type BudgetPeriod = 'day' | 'month' | 'ever';

/** At most so much, from one boundary in UTC to the next. Null, or not named: as much as anybody likes. */
export interface Budget {
  readonly per: BudgetPeriod;
  readonly requests: number | null;
  readonly bytes: number | null;
  readonly leak?: number;
  readonly holds?: number;
  readonly seconds?: number;
  /** People are asked when it is used up; a yes gives as much once more. */
  readonly ask?: true;
}

/** Whose budgets a tenant sets; each of them has a purse of its own. */
export type BudgetHolder = 'tenant' | 'person' | 'agent' | 'session';
export type Budgets = { readonly [H in BudgetHolder]?: Budget };

/** What people are asked for when a purse is empty: `by` more of one unit, in this window, beside `max`. */
export interface BudgetRaise {
  readonly account: string;
  readonly unit: BudgetUnit;
  readonly window: string;
  readonly max: number;
  readonly by: number;
}

/** The action of the intent that stands in a hold of kind `budget`; no agent can make one, and no policy is asked about it. */
export const raiseAction = 'budget.raise';
