import * as z from 'zod/mini';

export const budgetLine = z.strictObject({
  /** `tenant/…`, `person/…`, `agent/…`, `session/…`; `session/…/own` is what its cordon.yaml says. */
  account: z.string(),
  unit: z.enum(['requests', 'bytes', 'leak', 'holds', 'seconds']),
  per: z.enum(['day', 'month', 'ever']),
  max: z.number(),
  /** What people have given beyond that, until its day or month is over. */
  raised: z.number(),
  /** Spent, or in the hands of a gateway that may spend it. */
  taken: z.number(),
});
export const budgetList = z.strictObject({ budgets: z.array(budgetLine) });
