import { z } from 'zod';
import { grantParts } from '../config/grant-file.ts';

/**
 * `$CORDON_HOME/policy/*.yaml`: what every session of the tenant may do at most. Only here may a grant reach
 * loopback, link-local and this host's own addresses (gateway.md §2.1).
 */
export const tenantFile = z.strictObject({
  version: z.literal(1).optional(),
  /** What this layer says about whatever no grant here names. `allow` leaves it to the session's own grants. */
  default: z.enum(['allow', 'deny']).default('allow'),
  grants: grantParts.grants,
  denies: grantParts.denies,
});
