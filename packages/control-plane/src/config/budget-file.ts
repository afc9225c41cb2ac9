import type { Budget } from '@cordon/protocol';
import { z } from 'zod';
import { size } from './units.ts';

/** What may be spent, from one midnight or first of a month in UTC to the next. */
export const budgetPart = z
  .strictObject({
    requests: z.number().int().min(1).max(1_000_000_000).optional(),
    /** Of bodies, both ways together. */
    bytes: size.optional(),
    per: z.enum(['day', 'month', 'ever']).default('ever'),
  })
  .refine(({ requests, bytes }) => requests !== undefined || bytes !== undefined, 'requests, bytes or both');

export function toBudget({ requests, bytes, per }: z.output<typeof budgetPart>): Budget {
  return { per, requests: requests ?? null, bytes: bytes ?? null };
}
