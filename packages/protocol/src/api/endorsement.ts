import * as z from 'zod/mini';
import { rung } from './approval.ts';
import { person } from './people.ts';

const scope = z.union([z.strictObject({ session: z.string() }), z.strictObject({ agent: z.string() })]);

/** What everybody signs alike; `endorsement/1` without the person. */
export const endorsementTerms = z.strictObject({
  v: z.literal('endorsement/1'),
  id: z.string(),
  tenant: z.string(),
  scope,
  hold: z.string(),
  record: z.string(),
  destinations: z.array(z.string()),
  uses: z.int(),
  bytes: z.int(),
  from: z.string(),
  expires: z.string(),
});

export const endorsementState = z.enum(['open', 'active', 'used', 'expired', 'withdrawn', 'void']);

export const endorsement = z.strictObject({
  id: z.string(),
  state: endorsementState,
  /** Of the question that it was made from. */
  session: z.string(),
  agent: z.string(),
  terms: endorsementTerms,
  at: z.string(),
  rung,
  used: z.strictObject({ uses: z.int(), bytes: z.int() }),
  reason: z.string(),
  signed: z.array(z.strictObject({ person, at: z.string() })),
  etag: z.string(),
});
export type Endorsement = z.infer<typeof endorsement>;

export const endorsementPage = z.strictObject({ endorsements: z.array(endorsement), next: z.nullable(z.string()) });

export const endorsementRequest = z.strictObject({
  /** DSSE envelope of an endorsement/1 record, signed by one person. */
  envelope: z.strictObject({
    payloadType: z.string().check(z.maxLength(256)),
    payload: z.string().check(z.maxLength(40 * 1024)),
    signatures: z
      .array(z.strictObject({ keyid: z.string().check(z.maxLength(128)), sig: z.string().check(z.maxLength(128)) }))
      .check(z.minLength(1), z.maxLength(1)),
  }),
});
