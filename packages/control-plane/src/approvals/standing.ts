import { policyLimits } from '@cordon/policy';
import type { PolicyName, Rung, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { groupName } from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { z } from 'zod';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import type { LiveSession } from '../sessions/live.ts';
import type { SessionRegistry } from '../sessions/registry.ts';
import type { StopTable } from '../stops/table.ts';

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

const rung = z.strictObject({ quorum: z.number().int().min(1).max(16), strong: z.boolean() });
const groups = z.array(z.string().regex(groupName)).max(16);
const unnamed = z
  .array(z.string().max(policyLimits.endorsementDestinationCharsMax))
  .max(policyLimits.endorsementDestinationsMax);

const intent = z.strictObject({
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
});

/**
 * What a gateway says of something that policy holds. It parses hostile bytes, so it may be somebody else's by now:
 * every member is checked, and whatever can be computed here is.
 */
export const holdOrder = z.strictObject({
  session: word,
  attempt: word,
  intent,
  payload: z
    .strictObject({ encoding: z.enum(['utf8', 'base64']), data: z.string().max(limits.holdPayloadBytesMax * 2) })
    .nullable(),
  effect: word,
  undoable: z.boolean(),
  flow,
  unnamed,
  policy: policyName,
  rung,
  groups,
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

export const endorsementUse = z.strictObject({
  session: word,
  attempt: word,
  intent,
  unnamed,
  policy: policyName,
  flow,
  rung,
  groups,
});
export type CheckedEndorsementUse = z.output<typeof endorsementUse>;

export type CheckedOrder = z.output<typeof holdOrder>;

export function hashOf(intent: CheckedOrder['intent']): string {
  return digestRecord('intent', intent as unknown as Parameters<typeof digestRecord>[1]);
}

/** What in the order is not what we know; null when everything is. */
export function strangeIn(order: CheckedOrder, session: SessionPolicy): string | null {
  const { intent, payload } = order;
  const stranger = strangerIn(intent, session);
  if (stranger !== null) return stranger;
  if (payload === null) return intent.payload.bytes === 0 ? null : 'payload';
  const bytes = Buffer.from(payload.data, payload.encoding);
  const same = bytes.length === intent.payload.bytes && digestBytes(bytes) === `sha256:${intent.payload.sha256}`;
  return same && bytes.length <= limits.holdPayloadBytesMax ? null : 'payload';
}

/** The first member in which the intent is not this session's. */
export function strangerIn(given: CheckedOrder['intent'], session: SessionPolicy): string | null {
  return (
    (['tenant', 'session', 'agent', 'chain', 'salt'] as const).find((name) => given[name] !== session[name]) ?? null
  );
}

/** Generation and revision as a pair (I4); the digest is compared where the snapshot is. */
export function isInForce(name: PolicyName, tenant: TenantPolicy, session: SessionPolicy): boolean {
  return name.generation === tenant.generation && name.revision === session.revision;
}

export function isRungOf({ quorum, strong }: Rung, { rungs }: TenantPolicy): boolean {
  const known = rungs ?? [{ quorum: 1, strong: false }];
  return known.some((rung) => rung.quorum === quorum && rung.strong === strong);
}

export interface StandingParts {
  readonly registry: SessionRegistry;
  readonly stops: StopTable;
  readonly tenant: () => TenantPolicy;
}

/** The session, while it may be decided for under this policy. @throws CordonError `session-ended` `session-stopped` `hold-stale` */
export function standingSession(
  { registry, stops, tenant }: StandingParts,
  id: string,
  policy: PolicyName,
): LiveSession {
  const session = registry.find(id);
  if (session === null || session.state === 'ended') throw refusal('session-ended', `no session ${id} is alive`);
  if (stops.of(session).length > 0) throw refusal('session-stopped', `session ${id} is stopped`);
  if (!isInForce(policy, tenant(), session.policy)) {
    throw refusal('hold-stale', 'another policy is in force by now', ['let the agent ask again']);
  }
  return session;
}

/** @throws CordonError `request-invalid` */
export function parseOrder<T>(schema: { parse(value: unknown): T }, value: unknown): T {
  try {
    return schema.parse(value);
  } catch (cause) {
    throw refusal('request-invalid', 'the gateway’s order is not of its form', [], cause);
  }
}
