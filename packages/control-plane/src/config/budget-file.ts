import type { Budget } from '@cordon/protocol';
import { z } from 'zod';
import { duration, size } from './units.ts';

const counted = z.number().int().min(1).max(1_000_000_000);
const units = {
  requests: counted.optional(),
  /** Of bodies, both ways together. */
  bytes: size.optional(),
  /** What reads tell by their own bytes to where private data may not go. */
  leak: size.optional(),
  /** Questions to people. */
  holds: counted.optional(),
  /** Of sessions, from request to request. */
  time: duration.refine((ms) => ms >= 1000, 'at least 1s').optional(),
};
const per = z.enum(['day', 'month', 'ever']).default('ever');
const saysSomething = (given: object): boolean => Object.keys(units).some((unit) => unit in given);
const something = 'one of requests, bytes, leak, holds, time at least';

/** What may be spent, from one midnight or first of a month in UTC to the next. */
export const budgetPart = z.strictObject({ ...units, per }).refine(saysSomething, something);
/** Only an organisation's own file has people asked to raise it. */
export const tenantBudgetPart = z
  .strictObject({ ...units, per, onExhausted: z.enum(['deny', 'ask']).default('deny') })
  .refine(saysSomething, something);

export function toBudget(said: z.output<typeof budgetPart> | z.output<typeof tenantBudgetPart>): Budget {
  const { requests, bytes, leak, holds, time, per } = said;
  return {
    ...{ per, requests: requests ?? null, bytes: bytes ?? null },
    ...(leak === undefined ? {} : { leak }),
    ...(holds === undefined ? {} : { holds }),
    ...(time === undefined ? {} : { seconds: Math.floor(time / 1000) }),
    ...('onExhausted' in said && said.onExhausted === 'ask' ? { ask: true } : {}),
  };
}
