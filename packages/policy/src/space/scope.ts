import type { ActionName } from '@cordon/protocol';
import { createSlice, type EntityUid } from '../decide/slice.ts';
import type { PolicyJson } from '../engine/answer.ts';
import type { Scene } from './scene.ts';

const inside: ReadonlySet<ActionName> = new Set(['toolcall.invoke', 'process.exec', 'file.open']);

/** In the schema's group `egress`: what it does leaves the sandbox. */
export function leaves(action: ActionName): boolean {
  return !inside.has(action);
}

/** A scene as the scope of a policy sees it; null for a resource without canonical reading. */
export interface Place {
  readonly action: ActionName;
  readonly resource: string | null;
  /** The resource and everything that it is in. */
  readonly within: ReadonlySet<string>;
}

type JsonUid = { readonly type: string; readonly id: string };
type JsonEntity = JsonUid | { readonly __entity: JsonUid };
const keyOf = ({ type, id }: JsonUid | EntityUid): string => `${type}\n${id}`;

export function placeOf({ principal, action, resource }: Scene): Place {
  const slice = createSlice(principal, action, resource, { args: {}, nums: {} });
  const within = new Set<string>();
  const climb = (uid: EntityUid): void => {
    within.add(keyOf(uid));
    const entity = slice?.entities.find((each) => keyOf(each.uid) === keyOf(uid));
    for (const parent of entity?.parents ?? []) climb(parent);
  };
  if (slice !== null) climb(slice.resource);
  return { action, resource: slice === null ? null : keyOf(slice.resource), within };
}

/**
 * Whether action and resource meet the scope, as far as it names entities; what it says of types, and of the principal, is
 * left to Cedar. INVARIANT: false only where Cedar would not find the policy satisfied either.
 */
export function inScope({ action, resource }: Pick<PolicyJson, 'action' | 'resource'>, place: Place): boolean {
  const named = 'entity' in action ? [action.entity] : 'entities' in action ? action.entities : null;
  if (named !== null && !named.some((entity) => isOf(place.action, uidOf(entity).id))) return false;
  if (place.resource === null || !('entity' in resource)) return true;
  const wanted = keyOf(uidOf(resource.entity));
  return resource.op === '==' ? place.resource === wanted : place.within.has(wanted);
}

/** The scope speaks of the resource's type, which says more than the entities do. */
export function isTyped(resource: PolicyJson['resource']): boolean {
  return resource.op === 'is';
}

function isOf(action: ActionName, name: string): boolean {
  return name === action || name === 'any' || (name === 'egress' && leaves(action));
}

function uidOf(entity: JsonEntity): JsonUid {
  return '__entity' in entity ? entity.__entity : entity;
}
