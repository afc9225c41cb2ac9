import * as z from 'zod/mini';
import { limits } from '../limits.ts';

export const suggestRequest = z.strictObject({
  sessions: z._default(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(limits.suggestSessionsMax)), []),
  /** Every session of this agent. */
  agent: z.optional(z.string().check(z.maxLength(63))),
  /** RFC 3339; only what was denied since then. */
  since: z.optional(z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'UTC with milliseconds'))),
  /** Put `*` where neighbours differ in one segment. */
  group: z._default(z.boolean(), false),
});
const seen = {
  count: z.int(),
  first: z.string(),
  last: z.string(),
  /** The latest of them, for `policy explain`; null for what was refused before a decision. */
  attempt: z.nullable(z.string()),
};
export const suggestedGrant = z.strictObject({
  /** As in `cordon.yaml`; a grant with it is valid there. */
  allow: z.string(),
  methods: z.nullable(z.array(z.string())),
  limits: z.nullable(z.strictObject({ bytes: z.string() })),
  addresses: z.nullable(z.array(z.string())),
  encodedSlash: z.boolean(),
  /** What may be sent there, beyond what is public. */
  clearance: z.nullable(z.enum(['internal', 'private'])),
  effect: z.enum(['read', 'share', 'destroy']),
  ...seen,
  /** How many different requests were seen that it permits. */
  requests: z.int(),
  warnings: z.array(z.string()),
  /** What a `*` permits beside what was seen, in words. */
  also: z.nullable(z.string()),
});
export const suggestApart = z.strictObject({
  summary: z.string(),
  code: z.string(),
  ...seen,
  /** Whose word would change it: another setting of the session, the tenant's policy, or nobody's. */
  who: z.enum(['session', 'tenant', 'never', 'passing']),
  why: z.string(),
});
export const suggestion = z.strictObject({
  sessions: z.array(z.string()),
  /** Attempts that were denied, how many different requests they were, and how many are permitted by now. */
  denied: z.strictObject({ attempts: z.int(), requests: z.int(), permittedNow: z.int() }),
  /** More was denied than is looked at in one call: the newest were taken. */
  truncated: z.boolean(),
  grants: z.array(suggestedGrant),
  apart: z.array(suggestApart),
  /** By deciding every recorded request again under the grants: attempts allowed, and allowed though no grant is for them. */
  verified: z.strictObject({ allowed: z.int(), others: z.int() }),
  /** A whole `cordon.yaml`, and the same as words for `--allow` where those can say it. */
  yaml: z.string(),
  allow: z.array(z.string()),
});
export type Suggestion = z.infer<typeof suggestion>;
export type SuggestedGrant = z.infer<typeof suggestedGrant>;
export type SuggestApart = z.infer<typeof suggestApart>;
