import * as z from 'zod/mini';
import { limits } from '../limits.ts';
import { person } from './people.ts';

const policyName = z.strictObject({ generation: z.int(), revision: z.int(), digest: z.string(), engine: z.string() });
export const rung = z.strictObject({ quorum: z.int(), strong: z.boolean() });
const floor = z.strictObject({
  argInteg: z.int(),
  argConf: z.int(),
  ctxInteg: z.int(),
  ctxConf: z.int(),
  destInteg: z.int(),
  clearance: z.int(),
  readersOk: z.boolean(),
  linksOk: z.boolean(),
  leakOk: z.boolean(),
});

export const holdState = z.enum(['open', 'approved', 'used', 'denied', 'expired', 'void']);

/** The question as it was recorded: what an answer names and signs. */
export const holdRecord = z.strictObject({
  v: z.literal('hold/1'),
  id: z.string(),
  kind: z.enum(['intent', 'budget']),
  intent: z.string(),
  attempt: z.string(),
  policy: policyName,
  floor,
  rung,
  groups: z.array(z.string()),
  nonce: z.string(),
  view: z.string(),
  expires: z.string(),
});

/** Everything that is asked about. Its digest is `record.view`; a client checks that before it shows or signs anything. */
export const holdView = z.strictObject({
  v: z.literal('view/1'),
  hold: z.string(),
  intent: z.strictObject({
    v: z.literal('intent/1'),
    tenant: z.string(),
    session: z.string(),
    agent: z.string(),
    chain: z.string(),
    salt: z.string(),
    action: z.string(),
    resource: z.string(),
    args: z.record(z.string(), z.json()),
    payload: z.strictObject({ sha256: z.string(), bytes: z.int(), kind: z.string() }),
  }),
  payload: z.nullable(z.strictObject({ encoding: z.enum(['utf8', 'base64']), data: z.string() })),
  effect: z.string(),
  undoable: z.boolean(),
  flow: floor,
  unnamed: z.array(z.string()),
  code: z.string(),
  rules: z.array(z.strictObject({ id: z.string(), text: z.string() })),
  rung,
  groups: z.optional(z.array(z.string())),
  before: z.optional(z.nullable(z.strictObject({ hold: z.string(), view: z.string() }))),
  person: z.string(),
  agent: z.string(),
  profile: z.string(),
  sessionStartedAt: z.string(),
  heldAt: z.string(),
  expires: z.string(),
});

/** `quick`: sooner than anybody reads; `many`: one of more than anybody reads in an hour. It counts all the same. */
export const answerFlags = z.array(z.enum(['quick', 'many']));

export const holdAnswer = z.strictObject({
  person,
  verdict: z.enum(['approve', 'deny']),
  at: z.string(),
  flags: answerFlags,
});

export const heldIntent = z.strictObject({
  id: z.string(),
  state: holdState,
  session: z.string(),
  agent: z.string(),
  /** Method, origin and path in printable ASCII. */
  summary: z.string(),
  at: z.string(),
  expires: z.string(),
  rung,
  /** Everybody who counts is in one of these; empty: anybody counts. */
  groups: z.array(z.string()),
  used: z.int(),
  reason: z.string(),
  answers: z.array(holdAnswer),
  etag: z.string(),
});
export type HeldIntent = z.infer<typeof heldIntent>;

export const approvalPage = z.strictObject({ approvals: z.array(heldIntent), next: z.nullable(z.string()) });

const answerEnvelope = z.strictObject({
  payloadType: z.string().check(z.maxLength(256)),
  payload: z.string().check(z.maxLength(16 * 1024)),
  signatures: z
    .array(z.strictObject({ keyid: z.string().check(z.maxLength(128)), sig: z.string().check(z.maxLength(128)) }))
    .check(z.minLength(1), z.maxLength(1)),
});

/** A request that people approved before, with their signed answers; a client checks both before it compares with it. */
export const approvedBefore = z.strictObject({ record: holdRecord, view: holdView, answers: z.array(answerEnvelope) });
export type ApprovedBefore = z.infer<typeof approvedBefore>;

/** One hold with what is signed; `view` is null once it is settled: the ledger keeps it sealed. */
export const heldDetail = z.strictObject({
  hold: heldIntent,
  record: holdRecord,
  view: z.nullable(holdView),
  /** What `view.before` names; null where it names nothing, or that cannot be read any more. */
  before: z.nullable(approvedBefore),
});
export type HeldDetail = z.infer<typeof heldDetail>;

export const verdictRequest = z.strictObject({
  /** DSSE envelope of an approval/1 record; the daemon takes no verdict without a signature. */
  envelope: answerEnvelope,
  /** Of a no: the agent reads it. */
  reason: z._default(z.string().check(z.maxLength(limits.denyReasonCharsMax)), ''),
});
