import type { ActionName } from '@cordon/protocol';
import type { PolicyJson } from '../engine/answer.ts';
import { sightKey } from '../gate/sights.ts';
import type { EntityUid, Slice } from './slice.ts';

const inside: ReadonlySet<ActionName> = new Set(['toolcall.invoke', 'process.exec', 'file.open']);

/** In the schema's group `egress`: what it does leaves the sandbox. */
export function leaves(action: ActionName): boolean {
  return !inside.has(action);
}

/** An action and where it happens, as the scope of a policy sees it; `resource` is null where it is not known, and then any scope may meet it. */
export interface Place {
  readonly action: ActionName;
  readonly resource: string | null;
  /** The resource and everything that it is in. */
  readonly within: ReadonlySet<string>;
}

type JsonUid = { readonly type: string; readonly id: string };
type JsonEntity = JsonUid | { readonly __entity: JsonUid };
export type Scope = Pick<PolicyJson, 'action' | 'resource'>;

export function placeIn(action: ActionName, slice: Slice | null): Place {
  if (slice === null) return { action, resource: null, within: new Set() };
  return { action, resource: sightKey(slice.resource), within: everythingAbove(slice, slice.resource) };
}

/** The entity itself and all that it is in, as keys. */
export function everythingAbove(slice: Slice, from: EntityUid): ReadonlySet<string> {
  const parents = new Map(slice.entities.map((each) => [sightKey(each.uid), each.parents]));
  const found = new Set<string>();
  const climb = (uid: EntityUid): void => {
    const key = sightKey(uid);
    if (found.has(key)) return;
    found.add(key);
    for (const parent of parents.get(key) ?? []) climb(parent);
  };
  climb(from);
  return found;
}

/**
 * Whether action and resource meet the scope, as far as it names entities; what it says of types, and of the principal, is
 * left to Cedar. INVARIANT: false only where Cedar would not find the policy satisfied either.
 */
export function inScope({ action, resource }: Scope, place: Place): boolean {
  const named = 'entity' in action ? [action.entity] : 'entities' in action ? action.entities : null;
  if (named !== null && !named.some((entity) => isOf(place.action, uidOf(entity).id))) return false;
  if (place.resource === null || !('entity' in resource)) return true;
  const wanted = sightKey(uidOf(resource.entity));
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
