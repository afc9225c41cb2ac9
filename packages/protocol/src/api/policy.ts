import * as z from 'zod/mini';
import { limits } from '../limits.ts';
import { person, pinnedKey } from './people.ts';

/** A file of a policy by its place in a bundle: `policies/…cedar`, `grants/…yaml`, `tests/…yaml`. */
const policyFiles = z
  .array(z.strictObject({ name: z.string().check(z.maxLength(100)), text: z.string() }))
  .check(z.minLength(1), z.maxLength(limits.policyFilesMax));

/** An archive as it lies on disk, in base64. */
const archive = z.string().check(z.maxLength(limits.bundleCharsMax));

export const envelope = z.strictObject({
  payloadType: z.string().check(z.maxLength(256)),
  payload: z.string().check(z.maxLength(limits.envelopeCharsMax)),
  signatures: z
    .array(z.strictObject({ keyid: z.string().check(z.maxLength(128)), sig: z.string().check(z.maxLength(128)) }))
    .check(z.maxLength(limits.envelopeSignaturesMax)),
});

/** Some policy of this tenant: a candidate, or one that is or was in force. */
export const policyReference = z.union([
  z.strictObject({ current: z.literal(true) }),
  z.strictObject({ generation: z.int().check(z.gte(1)) }),
  z.strictObject({ files: policyFiles }),
  z.strictObject({ bundle: archive }),
]);
export type PolicyReference = z.infer<typeof policyReference>;

const outcome = z.enum(['allow', 'deny', 'hold']);
const time = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'UTC with milliseconds'));

export const trafficChange = z.strictObject({
  summary: z.string(),
  from: outcome,
  to: outcome,
  code: z.string(),
  reasons: z.array(z.string()),
  count: z.int(),
  /** The latest of them. */
  attempt: z.string(),
  last: z.string(),
});
/** Recorded requests, judged again with the facts as they were. */
export const trafficReport = z.strictObject({
  decisions: z.int(),
  changed: z.int(),
  changes: z.array(trafficChange),
  /** Whose record or session is no longer there, or that the gateway decided by itself. */
  skipped: z.int(),
  truncated: z.boolean(),
});
export type TrafficReport = z.infer<typeof trafficReport>;

export const policyDiffRequest = z.strictObject({
  before: z._default(policyReference, { current: true }),
  after: policyReference,
  /** Also over what was recorded since then. */
  since: z.optional(time),
});
export const policyDiffAnswer = z.strictObject({
  /** Something becomes possible that was not, or with less approval. */
  widening: z.boolean(),
  space: z.strictObject({
    changes: z.array(
      z.strictObject({
        from: outcome,
        to: outcome,
        widening: z.boolean(),
        example: z.string(),
        policies: z.array(z.string()),
        before: z.array(z.string()),
        places: z.int(),
      }),
    ),
    terms: z.array(z.string()),
    /** False: the budget did not suffice to look everywhere. */
    complete: z.boolean(),
    requests: z.int(),
    scenes: z.int(),
  }),
  traffic: z.nullable(trafficReport),
});
export type PolicyDiff = z.infer<typeof policyDiffAnswer>;

export const policyReplayRequest = z.strictObject({ candidate: policyReference, since: z.optional(time) });

export const policyPackRequest = z.strictObject({
  /** What goes in: files, or what an earlier generation held. */
  content: z.union([z.strictObject({ files: policyFiles }), z.strictObject({ generation: z.int().check(z.gte(1)) })]),
  notBefore: z.optional(time),
  expires: z.optional(time),
});
export const policyPackAnswer = z.strictObject({
  bundle: archive,
  /** What people sign, in base64. */
  manifest: z.string(),
  address: z.string(),
  scope: z.string(),
  generation: z.int(),
  /** Compared with what is in force. */
  widening: z.boolean(),
  signatures: z.int(),
});
export type PolicyPack = z.infer<typeof policyPackAnswer>;

export const policyInspectRequest = z.strictObject({ bundle: archive });

export const policyActivateRequest = z.strictObject({ bundle: archive, envelope });
export const policyActivateAnswer = z.strictObject({
  generation: z.int(),
  address: z.string(),
  digest: z.string(),
  /** Gateways that decide by it now, and those that did not answer and are cut off. */
  gateways: z.int(),
  cutOff: z.int(),
  signedBy: z.array(person),
  widening: z.boolean(),
});
export type PolicyActivation = z.infer<typeof policyActivateAnswer>;

export const policyGeneration = z.strictObject({
  generation: z.int(),
  digest: z.string(),
  /** Of a bundle; null: files of the policy folder. */
  address: z.nullable(z.string()),
  files: z.array(z.string()),
  at: z.string(),
  expires: z.nullable(z.string()),
  inForce: z.boolean(),
});
export const policyHistory = z.strictObject({ generations: z.array(policyGeneration) });
export type PolicyGenerationView = z.infer<typeof policyGeneration>;

export const policyShadowRequest = z.strictObject({ candidate: policyReference });
export const policyShadow = z.strictObject({
  /** Null: no candidate judges beside. */
  candidate: z.nullable(z.string()),
  since: z.nullable(z.string()),
  report: z.nullable(trafficReport),
});
export type PolicyShadow = z.infer<typeof policyShadow>;

export const trustRoot = z.strictObject({
  v: z.literal('trust/1'),
  tenant: z.string(),
  number: z.int(),
  kind: z.enum(['solo', 'organisation']),
  signers: z.array(z.strictObject({ person, key: pinnedKey })),
  thresholds: z.strictObject({ bundle: z.int(), root: z.int() }),
});
export const trustRequest = z.strictObject({ envelope });
export type TrustRootView = z.infer<typeof trustRoot>;

export const policyProblem = z.strictObject({
  file: z.string(),
  line: z.nullable(z.int()),
  column: z.nullable(z.int()),
  code: z.string(),
  message: z.string(),
  mend: z.nullable(z.string()),
});
export const policyCheckRequest = z.strictObject({
  files: z.array(z.strictObject({ name: z.string(), text: z.string() })).check(z.minLength(1), z.maxLength(64)),
});
export const policyCheckAnswer = z.strictObject({
  ok: z.boolean(),
  problems: z.array(policyProblem),
  policies: z.int(),
});
export const policyView = z.strictObject({
  tenant: z.string(),
  generation: z.int(),
  revision: z.nullable(z.int()),
  digest: z.string(),
  layers: z.array(z.strictObject({ name: z.string(), policies: z.record(z.string(), z.string()) })),
});
export const policyTestRequest = z.strictObject({
  files: z.array(z.strictObject({ name: z.string(), text: z.string() })).check(z.minLength(1), z.maxLength(64)),
  tests: z.array(z.strictObject({ name: z.string(), text: z.string() })).check(z.minLength(1), z.maxLength(64)),
});
export const policyTestAnswer = z.strictObject({
  passed: z.int(),
  failed: z.int(),
  cases: z.array(
    z.strictObject({ file: z.string(), name: z.string(), ok: z.boolean(), expected: z.string(), got: z.string() }),
  ),
});
