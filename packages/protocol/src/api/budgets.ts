import * as z from 'zod/mini';

export const budgetLine = z.strictObject({
  /** `tenant/…`, `person/…`, `agent/…`, `session/…`; `session/…/own` is what its cordon.yaml says. */
  account: z.string(),
  unit: z.enum(['requests', 'bytes']),
  per: z.enum(['day', 'month', 'ever']),
  max: z.number(),
  /** Spent, or in the hands of a gateway that may spend it. */
  taken: z.number(),
});
export const budgetList = z.strictObject({ budgets: z.array(budgetLine) });
