import { canonicalOrigin } from '@cordon/policy';
import { groupName } from '@cordon/protocol';
import { z } from 'zod';
import { limits } from '../limits.ts';

/** What profiles and `cordon.yaml` have in common: grants, denies and secrets (validation.md §2.7, gateway.md §3.2). */

const method = z.string().regex(/^[A-Z]{3,10}$/, 'a method in capitals, such as POST');
const host = z.string().min(1).max(2048);

const people = z.number().int().min(1).max(16);
const groups = z.array(z.string().regex(groupName, 'a name of a-z, 0-9, _, - and .')).min(1).max(16);
const criticalType = z.enum(['url', 'origin', 'email', 'path', 'argv', 'money', 'iban', 'phone', 'id']);
const criticalTerms = z.strictObject({ type: criticalType, among: z.array(z.string().max(2048)).max(64).optional() });

export const grantEntry = z.strictObject({
  allow: host,
  methods: z.array(method).min(1).max(16).optional(),
  /** What may be sent there. */
  clearance: z.enum(['public', 'internal', 'private', 'secret']).optional(),
  /** What an answer from there is worth. */
  yields: z.enum(['untrusted', 'derived', 'vouched']).optional(),
  /** Arguments of a JSON body that say who gets it, or how much. */
  critical: z.record(z.string().max(1024), z.union([criticalType, criticalTerms])).optional(),
  limits: z
    .strictObject({
      bytes: z
        .string()
        .regex(/^[1-9][0-9]*(B|KiB|MiB|GiB)?$/, 'a size such as 64KiB')
        .optional(),
      rate: z
        .string()
        .regex(/^[1-9][0-9]*\/[1-9][0-9]*(s|m|h|d)$/, 'a rate such as 30/1m')
        .optional(),
      /** How long a tunnel or a WebSocket may last. */
      life: z
        .string()
        .regex(/^[1-9][0-9]{0,5}(ms|s|m|h)$/, 'a duration such as 30m or 2h')
        .optional(),
    })
    .optional(),
  /** Private ranges that the name may resolve to. */
  addresses: z.array(z.string().max(64)).max(16).optional(),
  body: z.boolean().optional(),
  encodedSlash: z.boolean().optional(),
  /** So many different people must approve each request of it; `from`: each of them in one of these groups. */
  approval: z.union([people, z.strictObject({ people: people.default(1), from: groups.optional() })]).optional(),
  /** The effector that gets a signed permit along with each request. */
  permit: z.string().min(1).max(64).optional(),
  /** WebSockets beside the requests; each message is decided. */
  websocket: z.boolean().optional(),
  /** TLS is passed on unread: nothing that is said inside is decided. */
  tls: z.literal('opaque').optional(),
});
export type GrantEntry = z.output<typeof grantEntry>;

export const denyEntry = z.strictObject({ deny: host, methods: z.array(method).min(1).max(16).optional() });
export type DenyEntry = z.output<typeof denyEntry>;

export const secretName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'a name of a-z, 0-9, _ and -');

/** A credential goes to a name that is written as it is compared, and never over plain http. */
const httpsOrigin = z
  .string()
  .max(512)
  .refine((text) => {
    const parsed = canonicalOrigin(text);
    return parsed.ok && parsed.scheme === 'https' && (parsed.origin === text || parsed.origin === `${text}:443`);
  }, 'an origin such as https://api.example.com, in lower case and without a path');

export const secretEntry = z.strictObject({
  source: z.literal('static').default('static'),
  to: z.array(httpsOrigin).min(1).max(16),
  at: z.union([
    z.strictObject({
      header: z.string().regex(/^[a-z0-9-]{1,64}$/, 'a header name in lower case'),
      form: z
        .string()
        .max(256)
        .refine((text) => text.split('{}').length === 2, 'a form holds {} exactly once')
        .default('{}'),
    }),
    z.strictObject({ basic: z.literal('password') }),
  ]),
  methods: z.array(method).min(1).max(16).optional(),
  paths: z.array(z.string().startsWith('/').max(2048)).min(1).max(32).optional(),
  require: z.boolean().default(false),
});
export type SecretEntry = z.output<typeof secretEntry>;

export const grantParts = {
  grants: z.array(grantEntry).max(limits.sessionGrantsMax).default([]),
  denies: z.array(denyEntry).max(limits.sessionGrantsMax).default([]),
  secrets: z.record(secretName, secretEntry).default({}),
};
