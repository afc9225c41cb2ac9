import type { PolicyName, Rung, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { groupName } from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { z } from 'zod';
import { limits } from '../limits.ts';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const word = z.string().max(256);
const level = (max: number) => z.number().int().min(0).max(max);

const policyName = z.strictObject({
  generation: z.number().int().min(0),
  revision: z.number().int().min(0),
  digest,
  engine: digest,
});

const flow = z.strictObject({
  argInteg: level(4),
  argConf: level(3),
  ctxInteg: level(4),
  ctxConf: level(3),
  destInteg: level(4),
  clearance: level(3),
  readersOk: z.boolean(),
  linksOk: z.boolean(),
  leakOk: z.boolean(),
});

/**
 * What a gateway says of something that policy holds. It parses hostile bytes, so it may be somebody else's by now:
 * every member is checked, and whatever can be computed here is.
 */
export const holdOrder = z.strictObject({
  session: word,
  attempt: word,
  intent: z.strictObject({
    v: z.literal('intent/1'),
    tenant: word,
    session: word,
    agent: word,
    chain: word,
    salt: word,
    action: word,
    resource: z.string().max(2048),
    args: z.record(z.string(), z.json()),
    payload: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.number().int().min(0), kind: word }),
  }),
  payload: z
    .strictObject({ encoding: z.enum(['utf8', 'base64']), data: z.string().max(limits.holdPayloadBytesMax * 2) })
    .nullable(),
  effect: word,
  undoable: z.boolean(),
  flow,
  policy: policyName,
  rung: z.strictObject({ quorum: z.number().int().min(1).max(16), strong: z.boolean() }),
  groups: z.array(z.string().regex(groupName)).max(16),
  code: word,
  reasons: z.array(word).max(64),
});

export const holdUse = z.strictObject({
  hold: word,
  session: word,
  attempt: word,
  intent: digest,
  policy: policyName,
  flow,
});

export type CheckedOrder = z.output<typeof holdOrder>;

export function hashOf(intent: CheckedOrder['intent']): string {
  return digestRecord('intent', intent as unknown as Parameters<typeof digestRecord>[1]);
}

/** What in the order is not what we know; null when everything is. */
export function strangeIn(order: CheckedOrder, session: SessionPolicy): string | null {
  const { intent, payload } = order;
  for (const name of ['tenant', 'session', 'agent', 'chain', 'salt'] as const) {
    if (intent[name] !== session[name]) return name;
  }
  if (payload === null) return intent.payload.bytes === 0 ? null : 'payload';
  const bytes = Buffer.from(payload.data, payload.encoding);
  const same = bytes.length === intent.payload.bytes && digestBytes(bytes) === `sha256:${intent.payload.sha256}`;
  return same && bytes.length <= limits.holdPayloadBytesMax ? null : 'payload';
}

/** Generation and revision as a pair (I4); the digest is compared where the snapshot is. */
export function isInForce(name: PolicyName, tenant: TenantPolicy, session: SessionPolicy): boolean {
  return name.generation === tenant.generation && name.revision === session.revision;
}

export function isRungOf({ quorum, strong }: Rung, { rungs }: TenantPolicy): boolean {
  const known = rungs ?? [{ quorum: 1, strong: false }];
  return known.some((rung) => rung.quorum === quorum && rung.strong === strong);
}
