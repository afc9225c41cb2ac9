import { authorize } from '../decide/authorize.ts';
import { Lru } from '../engine/lru.ts';
import { limits } from '../limits.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { type Axis, axesOf } from './axis.ts';
import { boardOf, type ReadSnapshot, readerOf, readSnapshot, signatureOf } from './board.ts';
import { describePoint, type Point, pointOf, requestOf } from './point.ts';
import { type Breach, checkProperty, type PropertyCode, propertyCodes } from './property.ts';
import { type Scene, scenesOf } from './scene.ts';
import type { Board } from './search.ts';
import { type Table, Tables } from './table.ts';

export interface SpaceProgress {
  /** Requests that the engine has judged. */
  readonly requests: number;
  readonly scenes: number;
  readonly of: number;
}

/** A property that does not hold, with a request that shows it. */
export interface SpaceFinding {
  readonly property: PropertyCode;
  readonly why: string;
  /** The request, in words, as it would be allowed. */
  readonly example: string;
  /** Policies that permit it, or the one that stands the wrong way round. */
  readonly policies: readonly string[];
}

export interface Proof {
  readonly findings: readonly SpaceFinding[];
  /** False: the budget did not suffice, so nothing is said about what was left out. */
  readonly complete: boolean;
  readonly requests: number;
  readonly scenes: number;
  /** Scenes that were cut off; they are samples, so this is less testing and no hole in the proof. */
  readonly scenesLeft: number;
  /** Combinations that were covered, scenes that no policy tells apart counted once. */
  readonly states: number;
  /** Parts whose values are samples. */
  readonly sampled: readonly string[];
}

export interface ProofOptions {
  readonly properties?: readonly PropertyCode[];
  /** Only these answer for what turns the wrong way; left out: all, and what the whole set must never allow. */
  readonly layers?: readonly string[] | null;
}

/** Whether a layer reads anything that could turn the wrong way; if not there is nothing to prove of it. */
export function readsOrdered(snapshot: PolicySnapshot, layer: string): boolean {
  const policies = readSnapshot(snapshot).all.filter((read) => read.layer === layer);
  return axesOf(policies).some((axis) => axis.ordered);
}

/**
 * The proof over the finite part of what policies read: each property holds for every combination, or a request shows
 * that it does not. Names (origins, paths, tools) are samples, which is testing. Yields between pieces of work.
 *
 * @throws PolicyError `engine-failed`
 */
export function* prove(
  snapshot: PolicySnapshot,
  { properties = propertyCodes, layers = null }: ProofOptions = {},
): Generator<SpaceProgress, Proof> {
  const read = readSnapshot(snapshot);
  const axes = axesOf(read.all);
  const { scenes, left } = scenesOf(read.all, snapshot.principal);
  const tables = new Tables(snapshot.engine, axes);
  const seen = new Set<string>();
  const ids = new Map<Table, number>();
  const findings: SpaceFinding[] = [];
  const told = new Set<string>();
  let complete = true;
  let states = 0;
  const highest = snapshot.rungs.at(-1) ?? { quorum: 1, strong: false };
  for (const [index, scene] of scenes.entries()) {
    yield { requests: tables.requests, scenes: index, of: scenes.length };
    const board = yield* withProgress(boardOf(tables, read, scene), index, scenes.length);
    const signature = `${scene.action} ${signatureOf(board, ids)}`;
    if (seen.has(signature)) continue;
    seen.add(signature);
    states += statesOf(board, axes);
    for (const property of properties) {
      const checked = checkProperty(property, board, axes, scene, layers, highest);
      complete &&= checked.complete;
      for (const breach of checked.breaches) {
        const finding = confirm(snapshot, breach, scene, axes, read);
        const key = finding === null ? '' : `${property} ${breach.axis ?? breach.why} ${finding.policies.join()}`;
        if (finding === null || told.has(key)) continue;
        told.add(key);
        findings.push(finding);
      }
    }
  }
  findings.push(...failures(tables, axes, read));
  return {
    findings: findings.slice(0, limits.spaceFindingsMax),
    complete: complete && tables.tooLarge.size === 0,
    requests: tables.requests,
    scenes: scenes.length,
    scenesLeft: left,
    states,
    sampled: axes.filter((axis) => axis.sampled).map((axis) => axis.path),
  };
}

/** To the end without a pause, for who waits anyway. */
export function proveAll(snapshot: PolicySnapshot, options: ProofOptions = {}): Proof {
  const work = prove(snapshot, options);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

export function* withProgress<T>(work: Generator<number, T>, scenes: number, of: number): Generator<SpaceProgress, T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    yield { requests: step.value, scenes, of };
  }
}

function statesOf(board: Board, axes: readonly Axis[]): number {
  const used = new Set([...board.forbids, ...board.layers.flat()].flatMap((table) => table.axes));
  return [...used].reduce((product, axis) => product * (axes[axis]?.values.length ?? 1), 1);
}

/** The judge has the last word: what it does not allow is no breach. */
function confirm(
  snapshot: PolicySnapshot,
  breach: Breach,
  scene: Scene,
  axes: readonly Axis[],
  { all }: ReadSnapshot,
): SpaceFinding | null {
  const point = pointOf(scene, axes, breach.at);
  const decision = judge(snapshot, point);
  if (decision.outcome !== 'allow') return null;
  if (breach.safer !== null && judge(snapshot, pointOf(scene, axes, breach.safer)).outcome === 'allow') return null;
  const permitted = snapshot.layers.at(-1)?.name === 'session' ? decision.record.reasons : [];
  return {
    property: breach.property,
    why: breach.why,
    example: describePoint(point, axes, readerOf(all)),
    policies: breach.culprit === null ? permitted : [breach.culprit],
  };
}

/** What the real judge says at one point, as whoever acts there. */
export function judge(snapshot: PolicySnapshot, point: Point): ReturnType<typeof authorize> {
  const { intent, facts, approval } = requestOf(point);
  const { principal } = point.scene;
  const places: PolicySnapshot['places'] = new Lru(1);
  const here = { ...snapshot, expires: null, stopped: false, principal, places } as PolicySnapshot;
  return authorize(here, principal, intent, facts, approval);
}

function failures({ failures: failed }: Tables, axes: readonly Axis[], { all }: ReadSnapshot): SpaceFinding[] {
  const first = new Map(failed.map((failure) => [failure.read.policy.id, failure]));
  return [...first.values()].map(({ read, scene, at, why }) => ({
    property: 'T1' as const,
    why,
    example: describePoint(pointOf(scene, axes, at), axes, readerOf(all)),
    policies: [read.policy.id],
  }));
}
