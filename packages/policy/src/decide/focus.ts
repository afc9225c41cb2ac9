import { hash } from 'node:crypto';
import type { ActionName } from '@cordon/protocol';
import type { CallHead, PolicyFocus } from '../engine/view.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import { partOf } from '../gate/part.ts';
import { allReads } from '../gate/reads.ts';
import { sightKey } from '../gate/sights.ts';
import { limits } from '../limits.ts';
import { headText } from './request.ts';
import { everythingAbove, inScope, type Place, placeIn } from './scope.ts';
import { type Entity, type Slice, uidOf } from './slice.ts';

/** A slice with what of a snapshot bears on it: the policies that may apply, and the entities that those can see. */
export interface Placed {
  readonly slice: Slice;
  readonly head: CallHead;
}

/**
 * What Cedar is asked about is no more than the policies can tell apart, since reading a call costs it far more than judging
 * one. Three things are left out, and each is false or the same to every policy by the meaning of the language alone:
 *
 * - a policy whose scope names another action or resource. A scope cannot fail, and without it the policy says nothing;
 * - a part of the context that no policy names ({@link allReads}). Whoever named it would fail, which denies;
 * - what the principal or the resource is in and no policy asks about. Membership is silent, so here one policy whose text
 *   does not say all (`sights` is null) brings everything back.
 *
 * INVARIANT: the slice is complete; what is left out of the context was checked by us against its type.
 */
export function placeAmong(
  policies: Iterable<CompiledPolicy>,
  action: ActionName,
  slice: Slice,
  bounds: FocusBounds = { omitsMin: limits.focusOmitsMin, keptMax: limits.focusKeptMax },
): Placed {
  const kept = bearingOn(placeIn(action, slice), [...policies], bounds);
  const reads = allReads(kept.map((policy) => policy.reads));
  const sights = new Set<string>();
  let whole = reads === null;
  for (const policy of kept) {
    if (policy.sights === null) whole = true;
    for (const sight of policy.sights ?? []) sights.add(sight);
  }
  const focus: PolicyFocus = {
    digest: hash('sha256', kept.map(({ id, digest }) => `${id} ${digest}\n`).join(''), 'base64'),
    texts: Object.fromEntries(kept.map(({ id, text }) => [id, text])),
    view: whole || reads === null ? null : { action, key: `${action} ${reads.join(' ')}`, part: partOf(reads) },
  };
  const entities = whole ? slice.json.entities : JSON.stringify(seenOf(slice, sights, reads ?? []));
  return { slice, head: callHead(focus, action, slice, entities) };
}

/** When an action, or a place, has a policy set of its own in the engine. */
interface FocusBounds {
  /** Policies that a place rules out beyond those that its action does. */
  readonly omitsMin: number;
  /** Policies that are left. */
  readonly keptMax: number;
}

/**
 * Each set is parsed and kept by itself, and who asks chooses the places: so sets of their own are small ones, else an agent that
 * walks from host to host would fill the engine, and its neighbours would wait for the parsing.
 */
function bearingOn(
  place: Place,
  all: readonly CompiledPolicy[],
  { omitsMin, keptMax }: FocusBounds,
): readonly CompiledPolicy[] {
  const anywhere = all.filter(({ scope }) => inScope(scope, { ...place, resource: null }));
  const here = anywhere.filter(({ scope }) => inScope(scope, place));
  if (here.length <= keptMax && anywhere.length - here.length >= omitsMin) return here;
  return anywhere.length <= keptMax ? anywhere : all;
}

export function callHead(focus: PolicyFocus, action: ActionName, slice: Slice, entities: string): CallHead {
  const text = headText(action, slice, entities);
  return { focus, text, digest: hash('sha256', `${focus.digest}\n${text}`, 'base64') };
}

/** Who has tags, by where the context names them. */
const tagTypes = { args: uidOf('Args', '').type, nums: uidOf('Nums', '').type } as const;

/**
 * Principal and resource, each directly in all that a policy asks about and it is in by whatever steps; Cedar finds the same
 * answers there. They are among what is asked about themselves: a policy may compare them with each other.
 */
function seenOf(slice: Slice, sights: ReadonlySet<string>, reads: readonly string[]): Entity[] {
  const asked = new Set([...sights, sightKey(slice.principal), sightKey(slice.resource)]);
  const uids = new Map(slice.entities.map(({ uid }) => [sightKey(uid), uid]));
  const actors = [slice.principal, slice.resource].flatMap((uid): Entity[] => {
    const above = [...everythingAbove(slice, uid)].filter((key) => asked.has(key) && key !== sightKey(uid));
    const parents = above.flatMap((key) => uids.get(key) ?? []);
    // Without parents an entity says nothing that its absence does not.
    return parents.length === 0 ? [] : [{ uid, attrs: {}, parents }];
  });
  const tagged = (['args', 'nums'] as const).filter((name) => reads.includes(name)).map((name) => tagTypes[name]);
  return [...actors, ...slice.entities.filter(({ uid }) => tagged.includes(uid.type))];
}
