import type { Outcome } from '@cordon/protocol';
import type { ApprovalFacts } from '../fact/facts.ts';
import { limits } from '../limits.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { type Axis, axesOf } from './axis.ts';
import { boardOf, type ReadSnapshot, readerOf, readSnapshot, signatureOf } from './board.ts';
import { describePoint, pointOf } from './point.ts';
import { judge, type SpaceProgress, withProgress } from './prove.ts';
import { type Scene, scenesOf } from './scene.ts';
import { type Board, type Domain, permits, search } from './search.ts';
import { type Table, Tables } from './table.ts';

/** A request that two policies answer differently, for all that are like it. */
export interface SpaceChange {
  readonly from: Outcome;
  readonly to: Outcome;
  /** Something is possible, or possible with less approval, that was not before. */
  readonly widening: boolean;
  readonly example: string;
  /** Who decides now, and who did before. */
  readonly policies: readonly string[];
  readonly before: readonly string[];
  /** Kinds of places where the same policies make the same change. */
  readonly places: number;
}

export interface SpaceDiff {
  readonly changes: readonly SpaceChange[];
  /** What is not a question of single requests: limits of grants, private addresses, strengths of approval. */
  readonly terms: readonly string[];
  readonly widening: boolean;
  readonly complete: boolean;
  readonly requests: number;
  readonly scenes: number;
}

const kinds: readonly (readonly [from: Outcome, to: Outcome])[] = [
  ['deny', 'allow'],
  ['hold', 'allow'],
  ['deny', 'hold'],
  ['allow', 'hold'],
  ['allow', 'deny'],
  ['hold', 'deny'],
];
const strength: Readonly<Record<Outcome, number>> = { deny: 0, hold: 1, allow: 2 };

/**
 * What becomes allowed, held or denied when `after` takes the place of `before`: every combination of finite facts, at
 * every place that either names and at some that none does. Yields between pieces of work.
 */
export function* diffSpace(before: PolicySnapshot, after: PolicySnapshot): Generator<SpaceProgress, SpaceDiff> {
  const old = readSnapshot(before);
  const fresh = readSnapshot(after);
  const all = [...old.all, ...fresh.all];
  const axes = axesOf(all);
  const { scenes } = scenesOf([...fresh.all, ...old.all], after.principal);
  const tables = new Tables(after.engine, axes);
  const changes = new Map<string, SpaceChange>();
  const seen = new Map<string, readonly string[]>();
  const ids = new Map<Table, number>();
  const terms = new Set(termsOf(before, after));
  let complete = true;
  for (const [index, scene] of scenes.entries()) {
    yield { requests: tables.requests, scenes: index, of: scenes.length };
    const boards = yield* withProgress(both(tables, old, fresh, scene), index, scenes.length);
    const pair = boards.map((board) => signatureOf(board, ids));
    if (pair[0] === pair[1]) continue;
    const key = pair.join();
    for (const known of seen.get(key) ?? []) recount(changes, known);
    if (seen.has(key)) continue;
    const compared = compare(boards, [before, after], scene, axes, readerOf(all));
    complete &&= compared.complete;
    for (const each of compared.terms) terms.add(each);
    seen.set(
      key,
      compared.changes.map((change) => note(changes, change)),
    );
  }
  const listed = [...changes.values()].sort((a, b) => Number(b.widening) - Number(a.widening));
  return {
    changes: listed.slice(0, limits.spaceFindingsMax),
    terms: [...terms].slice(0, limits.spaceFindingsMax),
    widening: terms.size > 0 || listed.some((change) => change.widening),
    complete: complete && tables.tooLarge.size === 0,
    requests: tables.requests,
    scenes: scenes.length,
  };
}

type Pair<T> = readonly [before: T, after: T];

function* both(tables: Tables, old: ReadSnapshot, fresh: ReadSnapshot, scene: Scene): Generator<number, Pair<Board>> {
  return [yield* boardOf(tables, old, scene), yield* boardOf(tables, fresh, scene)];
}

function note(changes: Map<string, SpaceChange>, change: SpaceChange): string {
  const key = JSON.stringify([change.from, change.to, change.policies, change.before]);
  const known = changes.get(key);
  changes.set(key, known === undefined ? change : { ...known, places: known.places + 1 });
  return key;
}

function recount(changes: Map<string, SpaceChange>, key: string): void {
  const known = changes.get(key);
  if (known !== undefined) changes.set(key, { ...known, places: known.places + 1 });
}

function compare(
  boards: Pair<Board>,
  snapshots: Pair<PolicySnapshot>,
  scene: Scene,
  axes: readonly Axis[],
  read: (path: string) => boolean,
): { readonly changes: SpaceChange[]; readonly terms: string[]; readonly complete: boolean } {
  const [old, fresh] = boards.map((board, at) => new Outcomes(board, axes, snapshots[at]?.rungs ?? [])) as [
    Outcomes,
    Outcomes,
  ];
  const changes: SpaceChange[] = [];
  let complete = true;
  for (const [from, to] of kinds) {
    // The side that lets more through is searched, since its forbids cut the search short.
    const [wide, narrow] = strength[to] > strength[from] ? [fresh, old] : [old, fresh];
    const [loose, strict] = strength[to] > strength[from] ? [to, from] : [from, to];
    const found = search(
      wide.board,
      axes,
      wide.domain(loose),
      (at) => narrow.of(at) === strict && wide.of(at) === loose,
      [narrow.board],
    );
    complete &&= found.kind !== 'unknown';
    if (found.kind !== 'found') continue;
    const point = pointOf(scene, axes, wide.unapproved(found.at));
    const was = judge(snapshots[0], point);
    const is = judge(snapshots[1], point);
    if (was.outcome !== from || is.outcome !== to) continue;
    const example = describePoint(point, axes, read);
    const policies = is.record.reasons;
    changes.push({
      from,
      to,
      widening: strength[to] > strength[from],
      example,
      policies,
      before: was.record.reasons,
      places: 1,
    });
  }
  return { changes, terms: obligationsOf(boards, snapshots, scene, axes, read), complete };
}

/** The three outcomes out of one board: without approval, and with the strongest that there is. */
class Outcomes {
  readonly board: Board;
  readonly #axes: readonly Axis[];
  readonly #none: ReadonlyMap<number, number>;
  readonly #best: ReadonlyMap<number, number> | null;

  constructor(board: Board, axes: readonly Axis[], rungs: readonly ApprovalFacts[]) {
    this.board = board;
    this.#axes = axes;
    this.#none = this.#indices({ quorum: 0, strong: false });
    const best = rungs.at(-1);
    this.#best = best === undefined ? null : this.#indices(best);
  }

  of(at: readonly number[]): Outcome {
    if (permits(this.board, withIndices(at, this.#none))) return 'allow';
    if (this.#best === null) return 'deny';
    return permits(this.board, withIndices(at, this.#best)) ? 'hold' : 'deny';
  }

  domain(outcome: Outcome): Domain {
    const indices = outcome === 'hold' && this.#best !== null ? this.#best : this.#none;
    return new Map([...indices].map(([axis, index]) => [axis, [index]]));
  }

  unapproved(at: readonly number[]): number[] {
    return withIndices(at, this.#none);
  }

  #indices(approval: ApprovalFacts): Map<number, number> {
    const found = new Map<number, number>();
    for (const [axis, { path, values }] of this.#axes.entries()) {
      // Values stand from the most approval to none; a class is named by its least member.
      if (path === 'approval.quorum')
        found.set(
          axis,
          values.findIndex((value) => Number(value) <= approval.quorum),
        );
      if (path === 'approval.strong') found.set(axis, values.indexOf(approval.strong));
    }
    return found;
  }
}

function withIndices(at: readonly number[], indices: ReadonlyMap<number, number>): number[] {
  const changed = [...at];
  for (const [axis, index] of indices) changed[axis] = index;
  return changed;
}

/** Where both allow: what each requires of the one who performs it. */
function obligationsOf(
  boards: Pair<Board>,
  snapshots: Pair<PolicySnapshot>,
  scene: Scene,
  axes: readonly Axis[],
  read: (path: string) => boolean,
): string[] {
  const found = search(boards[1], axes, new Map(), (at) => permits(boards[0], at), [boards[0]]);
  if (found.kind !== 'found') return [];
  const point = pointOf(scene, axes, found.at);
  const [was, is] = snapshots.map((snapshot) => judge(snapshot, point).record.obligations.join(', ') || 'nothing');
  return was === is ? [] : [`${describePoint(point, axes, read)}: requires ${is}, where it required ${was}`];
}

function termsOf(before: PolicySnapshot, after: PolicySnapshot): string[] {
  const known = new Set(before.origins.map((rule) => JSON.stringify(rule)));
  const origins = after.origins
    .filter((rule) => !known.has(JSON.stringify(rule)))
    .map((rule) => `${rule.origin}: ${originWords(rule)}`);
  const rungs = (snapshot: PolicySnapshot): string =>
    snapshot.rungs.map(({ quorum, strong }) => `${quorum}${strong ? ' strong' : ''}`).join(', ') || 'none';
  const steps = rungs(before) === rungs(after) ? [] : [`approvals: ${rungs(after)}, where they were ${rungs(before)}`];
  return [...origins, ...steps];
}

function originWords({ addresses, trusted, bodyOnRead, encodedSlash }: PolicySnapshot['origins'][number]): string {
  const words = [
    ...(addresses.length === 0 ? [] : [`may be at ${addresses.join(', ')}`]),
    ...(trusted ? ["may be this host's own"] : []),
    ...(bodyOnRead ? ['bodies with GET'] : []),
    ...(encodedSlash ? ['escaped slashes'] : []),
  ];
  return words.join(', ') || 'named by a grant';
}
