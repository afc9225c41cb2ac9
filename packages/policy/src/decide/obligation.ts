import type { ActionName } from '@cordon/protocol';
import type { Rate } from '../gate/annotation.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';

/** What an allow requires, folded over every permit of every layer that determined it; the strictest wins. */
export interface Obligations {
  /** Largest payload of one request or message, checked by `authorize` itself; of a tunnel all bytes, both ways. */
  readonly bytes: number | null;
  /** Each is kept by the gateway, per session and policy. */
  readonly rates: readonly (Rate & { readonly policy: string })[];
  /** From the first byte of a tunnel or WebSocket to its end, kept by the gateway. */
  readonly lifeMs: number | null;
  /** Secrets that may be leased; null: no permit names any, the binding alone decides. */
  readonly leases: readonly string[] | null;
  /** The effector that gets a signed permit along with the request; null: none does. */
  readonly audience: string | null;
  /** Groups of which people must be whose approval this rests on; null: no permit names any. */
  readonly approvers: readonly string[] | null;
  /** The record of the decision is to be on disk before the effect. */
  readonly durable: boolean;
}

export interface Folded {
  readonly obligations: Obligations;
  /** As recorded, sorted. */
  readonly texts: readonly string[];
  /** What no adapter of this action can keep; not empty means deny. */
  readonly unknown: readonly string[];
}

/** In the order of ids, so that the record is the same each time. */
export function foldObligations(action: ActionName, permits: readonly CompiledPolicy[]): Folded {
  let bytes: number | null = null;
  let lifeMs: number | null = null;
  let leases: readonly string[] | null = null;
  let audience: string | null = null;
  let durable = false;
  const approvers = approversOf(permits);
  const rates: (Rate & { policy: string })[] = [];
  const unknown: string[] = [];
  for (const { id, duties } of permits) {
    if (duties.bytes !== null) bytes = bytes === null ? duties.bytes : Math.min(bytes, duties.bytes);
    if (duties.lifeMs !== null) lifeMs = lifeMs === null ? duties.lifeMs : Math.min(lifeMs, duties.lifeMs);
    if (duties.lease !== null) leases = intersect(leases, duties.lease);
    if (duties.permit !== null) {
      // One request has one effector: of two that are named neither could be told apart from a mistake.
      if (audience !== null && audience !== duties.permit) unknown.push(`permit:${duties.permit}`);
      audience ??= duties.permit;
    }
    if (duties.rate !== null) rates.push({ ...duties.rate, policy: id });
    durable ||= duties.durable;
    unknown.push(...duties.unkept);
  }
  // Other adapters come with what they keep; until then a duty on their actions is one that nobody would keep.
  if (!action.startsWith('http.'))
    unknown.push(...textsOf({ bytes, lifeMs, leases, audience, durable, rates, approvers: null }));
  const obligations = { bytes, lifeMs, rates, leases, audience, approvers, durable };
  if (action === 'http.request' && lifeMs !== null) unknown.push(`life:${lifeMs}ms`);
  // The form is for one request and its answer; what goes over a WebSocket or a tunnel is in no permit.
  if (action !== 'http.request' && audience !== null) unknown.push(`permit:${audience}`);
  return { obligations, texts: [...new Set([...textsOf(obligations), ...unknown])].sort(), unknown };
}

/**
 * Whose people may approve, sorted: those groups that every permit accepts which names any. Groups of one permit stand in for
 * each other, so what a second permit names can only make them fewer. Null: none names any; empty: nobody is left.
 */
export function approversOf(permits: readonly CompiledPolicy[]): readonly string[] | null {
  return permits.reduce<readonly string[] | null>(
    (left, { duties }) => (duties.approvers === null ? left : intersect(left, duties.approvers)),
    null,
  );
}

/** As a decision records it, of a hold as of an allow. */
export function approversText(groups: readonly string[]): string {
  return `approvers:${groups.join(',')}`;
}

function intersect(known: readonly string[] | null, named: readonly string[]): readonly string[] {
  return known === null ? [...named].sort() : known.filter((each) => named.includes(each));
}

function textsOf({ bytes, lifeMs, rates, leases, audience, approvers, durable }: Obligations): string[] {
  return [
    ...(bytes === null ? [] : [`bytes:${bytes}`]),
    ...(lifeMs === null ? [] : [`life:${lifeMs}ms`]),
    ...(leases === null ? [] : [`lease:${leases.join(',')}`]),
    ...(audience === null ? [] : [`permit:${audience}`]),
    ...(approvers === null ? [] : [approversText(approvers)]),
    ...(durable ? ['durable:disk'] : []),
    ...rates.map(({ count, windowMs, policy }) => `rate:${count}/${windowMs}ms@${policy}`),
  ];
}
