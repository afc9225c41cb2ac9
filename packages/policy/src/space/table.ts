import { placeAmong } from '../decide/focus.ts';
import { inScope, isTyped, type Place, placeIn } from '../decide/scope.ts';
import { createSlice } from '../decide/slice.ts';
import type { Engine } from '../engine/engine.ts';
import { limits } from '../limits.ts';
import type { Axis } from './axis.ts';
import { cedarOf, pointOf } from './point.ts';
import type { ReadPolicy } from './read.ts';
import type { Scene } from './scene.ts';

/** Whether one policy is satisfied in one scene, for every combination of the axes that it reads. */
export interface Table {
  readonly read: ReadPolicy;
  /** Indices into the axes of the space, each with its step in `truth`. */
  readonly axes: readonly number[];
  readonly steps: readonly number[];
  readonly truth: Uint8Array;
}

export interface Failure {
  readonly read: ReadPolicy;
  readonly scene: Scene;
  readonly at: readonly number[];
  readonly why: string;
}

/** Every table answers for the whole space: `assigned` has an index for each axis. */
export function holds({ axes, steps, truth }: Table, assigned: readonly number[]): boolean {
  let index = 0;
  for (let i = 0; i < axes.length; i++) index += (assigned[axes[i] ?? 0] ?? 0) * (steps[i] ?? 0);
  return truth[index] === 1;
}

/**
 * Asks Cedar itself about one policy at a time: what one policy says does not depend on the others, which is how Cedar
 * defines it, so the tables of all policies together are the answer for every request of the space.
 */
export class Tables {
  readonly #engine: Engine;
  readonly #axes: readonly Axis[];
  readonly #known = new Map<string, Table>();
  readonly #places = new Map<Scene, Place>();
  requests = 0;
  readonly failures: Failure[] = [];
  /** Policies whose own part of the space is larger than what is left of the budget. */
  readonly tooLarge = new Set<string>();

  constructor(engine: Engine, axes: readonly Axis[]) {
    this.#engine = engine;
    this.#axes = axes;
  }

  /** Yields now and then, so that whoever runs it can do other things in between; null: its table is too large. */
  *of(read: ReadPolicy, scene: Scene): Generator<number, Table | null> {
    if (!inScope(read.json, this.#placeOf(scene))) return { read, axes: [], steps: [], truth: new Uint8Array(1) };
    const key = keyOf(read, scene);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const axes = this.#axes.flatMap(({ path }, index) => (read.paths.has(path) ? [index] : []));
    const sizes = axes.map((index) => this.#axes[index]?.values.length ?? 1);
    const size = sizes.reduce((product, each) => product * each, 1);
    if (this.requests + size > limits.spaceRequestsMax) {
      this.tooLarge.add(read.policy.id);
      return null;
    }
    const steps = sizes.map((_, at) => sizes.slice(at + 1).reduce((product, each) => product * each, 1));
    const truth = new Uint8Array(size);
    for (let index = 0; index < size; index++) {
      const at = this.#axes.map((axis) => axis.usual);
      for (const [i, axis] of axes.entries()) at[axis] = Math.floor(index / (steps[i] ?? 1)) % (sizes[i] ?? 1);
      truth[index] = this.#ask(read, scene, at) ? 1 : 0;
      if (this.requests % limits.spaceYieldItems === 0) yield this.requests;
    }
    const table = reduce({ read, axes, steps, truth });
    this.#known.set(key, table);
    return table;
  }

  #ask(read: ReadPolicy, scene: Scene, at: readonly number[]): boolean {
    const { id, effect } = read.policy;
    const asked = cedarOf(pointOf(scene, this.#axes, at));
    if (asked === null) return false;
    this.requests += 1;
    const { head } = placeAmong([read.policy], scene.action, asked.slice);
    const evaluation = this.#engine.evaluate(head, asked.request.context(head.focus.view));
    if (!evaluation.ok || evaluation.failed.length > 0) {
      this.failures.push({
        read,
        scene,
        at,
        why: evaluation.ok ? 'the policy failed' : `the engine ${evaluation.why}`,
      });
      return effect === 'forbid';
    }
    return evaluation.reasons.includes(id);
  }

  #placeOf(scene: Scene): Place {
    const known = this.#places.get(scene);
    if (known !== undefined) return known;
    const { principal, action, resource } = scene;
    const place = placeIn(action, createSlice(principal, action, resource, { args: {}, nums: {} }));
    this.#places.set(scene, place);
    return place;
  }
}

/** Without the axes that make no difference here. */
function reduce(table: Table): Table {
  const { read, axes, steps, truth } = table;
  for (const [i, step] of steps.entries()) {
    const size = (i === 0 ? truth.length : (steps[i - 1] ?? 1)) / step;
    const digit = (index: number): number => Math.floor(index / step) % size;
    if (!truth.every((value, index) => value === truth[index - digit(index) * step])) continue;
    const kept = steps.filter((_, at) => at !== i);
    return reduce({
      read,
      axes: axes.filter((_, at) => at !== i),
      steps: kept.map((each) => (each > step ? each / size : each)),
      truth: truth.filter((_, index) => digit(index) === 0),
    });
  }
  return table;
}

/** The part of a scene that the policy's conditions can see; its scope has been met. */
function keyOf({ policy, layer, json, literals: { reads } }: ReadPolicy, scene: Scene): string {
  const seen = (name: string): boolean =>
    policy.reads === null || policy.reads.some((path) => path === name || path.startsWith(`${name}.`));
  const place = reads.has('resource') || isTyped(json.resource) || seen('http') || seen('tunnel');
  return JSON.stringify([
    layer,
    policy.id,
    policy.text,
    reads.has('principal') || json.principal.op !== 'All' ? scene.principal : null,
    reads.has('action') ? scene.action : null,
    place ? [scene.action, scene.resource] : null,
    seen('http') ? [scene.method, scene.path] : null,
  ]);
}
