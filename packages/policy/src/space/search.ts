import { limits } from '../limits.ts';
import type { Axis } from './axis.ts';
import { holds, type Table } from './table.ts';

/** All tables of one snapshot in one scene. */
export interface Board {
  readonly layers: readonly (readonly Table[])[];
  readonly forbids: readonly Table[];
}

/** Cedar's own rule and ours: no forbid, and a permit in every layer. */
export function permits(board: Board, assigned: readonly number[]): boolean {
  for (const forbid of board.forbids) if (holds(forbid, assigned)) return false;
  for (const layer of board.layers) if (!layer.some((permit) => holds(permit, assigned))) return false;
  return true;
}

/** Which indices an axis may take; an axis that is not named may take all. */
export type Domain = ReadonlyMap<number, readonly number[]>;

export type Found =
  | { readonly kind: 'found'; readonly at: readonly number[] }
  | { readonly kind: 'none' }
  /** The search was given up: nothing is known. */
  | { readonly kind: 'unknown' };

/**
 * The first assignment, from the most ordinary values on, that the board permits and `wanted` accepts. Complete: axes are
 * assigned one by one, and a branch is left only where a forbid holds already or a layer can have no permit any more.
 */
export function search(
  board: Board,
  axes: readonly Axis[],
  domain: Domain,
  wanted: (at: readonly number[]) => boolean = () => true,
  also: readonly Board[] = [],
): Found {
  const order = orderOf([board, ...also], domain);
  const steps = order.map((_, depth) => checksAt(board, order, depth));
  const first = checksAt(board, order, -1);
  const at = axes.map((axis) => axis.usual);
  for (const [axis, allowed] of domain) at[axis] = allowed[0] ?? at[axis] ?? 0;
  let left: number = limits.spaceStepsMax;
  const passes = ({ forbids, layers }: Checks): boolean =>
    forbids.every((forbid) => !holds(forbid, at)) && layers.every((layer) => layer.some((permit) => holds(permit, at)));
  const descend = (depth: number): boolean => {
    const axis = order[depth];
    if (axis === undefined) return wanted(at);
    const before = at[axis] ?? 0;
    for (const value of domain.get(axis) ?? usualFirst(axes[axis])) {
      if (--left <= 0) return false;
      at[axis] = value;
      const checks = steps[depth];
      if ((checks === undefined || passes(checks)) && descend(depth + 1)) return true;
    }
    at[axis] = before;
    return false;
  };
  if (!passes(first)) return { kind: 'none' };
  if (descend(0)) return { kind: 'found', at: [...at] };
  return left <= 0 ? { kind: 'unknown' } : { kind: 'none' };
}

function usualFirst(axis: Axis | undefined): number[] {
  if (axis === undefined) return [0];
  return [axis.usual, ...[...axis.values.keys()].filter((index) => index !== axis.usual)];
}

interface Checks {
  readonly forbids: readonly Table[];
  readonly layers: readonly (readonly Table[])[];
}

/** What can be told once the first `depth + 1` axes are assigned and could not before. */
function checksAt(board: Board, order: readonly number[], depth: number): Checks {
  const ready = (tables: readonly Table[]): number =>
    Math.max(-1, ...tables.flatMap((table) => table.axes.map((axis) => order.indexOf(axis))));
  return {
    forbids: board.forbids.filter((forbid) => ready([forbid]) === depth),
    layers: board.layers.filter((layer) => ready(layer) === depth),
  };
}

/** Small forbids first, since they end a branch soonest. */
function orderOf(boards: readonly Board[], domain: Domain): number[] {
  const order: number[] = [];
  const tables = boards.flatMap(({ forbids, layers }) => [...forbids, ...layers.flat()]);
  const wanted = [...tables].sort((a, b) => a.axes.length - b.axes.length);
  for (const table of wanted) for (const axis of table.axes) if (!order.includes(axis)) order.push(axis);
  return [...order, ...[...domain.keys()].filter((axis) => !order.includes(axis))];
}
