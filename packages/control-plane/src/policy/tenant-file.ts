import { z } from 'zod';
import { tenantBudgetPart } from '../config/budget-file.ts';
import { grantParts } from '../config/grant-file.ts';

const webhookUrl = z
  .string()
  .max(2048)
  .refine((text) => {
    const url = URL.parse(text);
    const local = url?.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
    return (local || url?.protocol === 'https:') && url.username === '' && url.password === '' && url.hash === '';
  }, 'https://, or http:// on this host, without user or fragment');

const people = z.number().int().min(1).max(16);
/** `strong`: by keys that no program can use alone. */
const rung = z.union([people, z.strictObject({ people, strong: z.boolean().default(false) })]);

/**
 * `$CORDON_HOME/policy/*.yaml`: what every session of the tenant may do at most. Only here may a grant reach
 * loopback, link-local and this host's own addresses (gateway.md §2.1).
 */
export const tenantFile = z.strictObject({
  version: z.literal(1).optional(),
  /** What this layer says about whatever no grant here names. `allow` leaves it to the session's own grants. */
  default: z.enum(['allow', 'deny']).default('allow'),
  /** Once in all files of the folder: how approvals are given here. */
  approvals: z
    .strictObject({
      /** How many different people can be asked for, rising; the first that the rule is content with is. Two: the rules of a team. */
      rungs: z.array(rung).min(1).max(4).default([1]),
      /** Neither whom the session acts for nor who started it counts. */
      fourEyes: z.boolean().default(false),
      /** Told that something waits; `http://` only to this host. */
      webhook: webhookUrl.optional(),
    })
    .optional(),
  /** Once in all files of the folder: what may be spent, by all sessions together and by each. */
  budgets: z
    .strictObject({
      tenant: tenantBudgetPart.optional(),
      person: tenantBudgetPart.optional(),
      agent: tenantBudgetPart.optional(),
      session: tenantBudgetPart.optional(),
    })
    .optional(),
  /** Once in all files of the folder: what is done when one resource is denied all over the place. */
  breakers: z.strictObject({ fleet: z.enum(['page', 'freeze']).default('page') }).optional(),
  grants: grantParts.grants,
  denies: grantParts.denies,
});
export type TenantFile = z.output<typeof tenantFile>;
