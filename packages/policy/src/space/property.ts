import { assertNever } from '@cordon/protocol';
import { leaves } from '../decide/scope.ts';
import type { ApprovalFacts } from '../fact/facts.ts';
import type { Axis, AxisValue } from './axis.ts';
import { worstOf } from './axis.ts';
import type { Scene } from './scene.ts';
import { type Board, type Domain, permits, search } from './search.ts';
import type { Table } from './table.ts';

/** What every policy set must keep, whatever its grants are (docs/guides/policy.md). */
export type PropertyCode = 'T1' | 'T2' | 'T3' | 'T4' | 'T5' | 'T6' | 'T7';
export const propertyCodes: readonly PropertyCode[] = ['T1', 'T2', 'T3', 'T4', 'T5', 'T6', 'T7'];

export const propertyTexts: Readonly<Record<PropertyCode, string>> = {
  T1: 'no policy fails, and no request is refused by the engine',
  T2: 'without an approval nothing is shared, spent or administered towards a destination that nobody vouches for',
  T3: 'without an approval nothing but reads leaves a session that holds private data and has read untrusted text',
  T4: 'more approval never denies more, and none lets secrets out',
  T5: 'what is stopped, outside its mandate or not as pinned is always denied',
  T6: 'lower integrity, higher confidentiality, a breaker or an anomaly never turns deny into allow',
  T7: 'what takes two people, or a key that no program can use alone, is never allowed by less where such can be asked for',
};

/** A place where a property does not hold. */
export interface Breach {
  readonly property: PropertyCode;
  /** Allowed here. */
  readonly at: readonly number[];
  /** Denied there, which differs in the axis alone; null where being allowed is the breach. */
  readonly safer: readonly number[] | null;
  readonly axis: string | null;
  readonly why: string;
  /** The policy whose condition stands the wrong way round, where one can be told. */
  readonly culprit: string | null;
}

export interface Checked {
  readonly breaches: readonly Breach[];
  /** The search was given up somewhere, so that nothing is said about the rest. */
  readonly complete: boolean;
}

type Wanted = Readonly<Record<string, (value: AxisValue) => boolean>>;
const unapproved: Wanted = { 'approval.quorum': (n) => n === 0, 'approval.strong': (strong) => strong === false };
const atLeast = (least: number) => (value: AxisValue) => typeof value === 'number' && value >= least;
const below = (most: number) => (value: AxisValue) => typeof value === 'number' && value < most;
const no = (value: AxisValue): boolean => value === false;

/**
 * T1 is seen while the tables are made; every other property is a search in this scene. With `layers` only those answer
 * for what turns the wrong way, and what the layers above forbid is taken as given: a layer below cannot lift it.
 */
export function checkProperty(
  property: PropertyCode,
  board: Board,
  axes: readonly Axis[],
  scene: Scene,
  layers: readonly string[] | null,
  highest: ApprovalFacts,
): Checked {
  const egress = leaves(scene.action) && layers === null;
  const never = (why: string, wanted: Wanted): Checked => neverAllowed(property, why, wanted, board, axes);
  switch (property) {
    case 'T1':
      return { breaches: [], complete: true };
    case 'T2':
      if (!egress) return { breaches: [], complete: true };
      return never('allowed without approval towards a destination of integrity 0', {
        ...unapproved,
        effect: (effect) => effect === 'share' || effect === 'spend' || effect === 'admin',
        'flow.destInteg': below(1),
      });
    case 'T3':
      if (!egress) return { breaches: [], complete: true };
      return never('allowed without approval though untrusted text met private data', {
        ...unapproved,
        effect: (effect) => effect !== 'read',
        'flow.ctxInteg': below(1),
        'flow.ctxConf': atLeast(2),
        'flow.destInteg': below(3),
      });
    case 'T4': {
      const secrets = egress
        ? never('secrets leave, with an approval or without', {
            'flow.argConf': atLeast(3),
            'flow.clearance': below(3),
            'flow.readersOk': no,
            'flow.leakOk': no,
          })
        : { breaches: [], complete: true };
      return both(
        secrets,
        monotone(property, board, axes, layers, (path) => path.startsWith('approval.')),
      );
    }
    case 'T5':
      if (layers !== null) return { breaches: [], complete: true };
      return ['live', 'covered', 'pinned']
        .map((path) => never(`allowed though ${path} is false`, { [path]: no }))
        .reduce(both);
    case 'T6':
      return monotone(property, board, axes, layers, (path) => !path.startsWith('approval.'));
    case 'T7':
      if (!egress) return { breaches: [], complete: true };
      return lessThanAsked(highest)
        .map(([why, wanted]) => never(why, wanted))
        .reduce(both);
    default:
      return assertNever(property, 'property');
  }
}

/** Each approval that does not suffice, with what it must not let through; the ladder of docs/guides/labels.md. */
function lessThanAsked({ quorum, strong }: ApprovalFacts): (readonly [why: string, wanted: Wanted])[] {
  const people = Math.min(quorum, 2);
  const fewer: Wanted[] = [{ 'approval.quorum': below(people) }];
  const nobody: Wanted[] = [{ 'approval.quorum': below(1) }];
  const weak: Wanted[] = strong ? [{ 'approval.strong': no }] : [];
  const unnamed = { 'flow.destInteg': below(3) };
  const spends = { ...unnamed, effect: (effect: AxisValue) => effect === 'spend' || effect === 'admin' };
  const runs = { 'flow.destInteg': below(4), effect: (effect: AxisValue) => effect === 'exec' };
  const destroys = { ...unnamed, undoable: no, effect: (effect: AxisValue) => effect === 'destroy' };
  const short = (what: string, wanted: Wanted, approvals: readonly Wanted[]): (readonly [string, Wanted])[] =>
    approvals.map((approval) => [`${what} by a weaker approval than can be asked for`, { ...wanted, ...approval }]);
  return [
    ...short('money or rights moved', spends, [...fewer, ...weak]),
    ...short('a program run', runs, [...fewer, ...weak]),
    ...short('something deleted', destroys, [...nobody, ...weak]),
  ];
}

function both(a: Checked, b: Checked): Checked {
  return { breaches: [...a.breaches, ...b.breaches], complete: a.complete && b.complete };
}

function neverAllowed(
  property: PropertyCode,
  why: string,
  wanted: Wanted,
  board: Board,
  axes: readonly Axis[],
): Checked {
  const domain = new Map<number, readonly number[]>();
  for (const [path, accepts] of Object.entries(wanted)) {
    const index = axes.findIndex((axis) => axis.path === path);
    const axis = axes[index];
    // What no policy reads stands at its worst, and the answer is the same for every other value.
    if (axis === undefined) {
      if (!accepts(worstOf(path))) return { breaches: [], complete: true };
      continue;
    }
    const allowed = axis.values.flatMap((value, at) => (accepts(value) ? [at] : []));
    if (allowed.length === 0) return { breaches: [], complete: true };
    domain.set(index, allowed);
  }
  const found = search(board, axes, domain);
  if (found.kind !== 'found') return { breaches: [], complete: found.kind === 'none' };
  return { breaches: [{ property, at: found.at, safer: null, axis: null, why, culprit: null }], complete: true };
}

/**
 * Whether a step towards danger along an axis ever turns deny into allow. Only a policy that itself changes the wrong way
 * along that axis can do it, so where no table does, it is proven; else the rest of the space is searched from there.
 */
function monotone(
  property: PropertyCode,
  board: Board,
  axes: readonly Axis[],
  layers: readonly string[] | null,
  of: (path: string) => boolean,
): Checked {
  const breaches: Breach[] = [];
  let complete = true;
  for (const [axis, { path, values, ordered }] of axes.entries()) {
    if (!ordered || !of(path)) continue;
    const tables = [...board.forbids, ...board.layers.flat()].filter(
      (table) => table.axes.includes(axis) && (layers === null || layers.includes(table.read.layer)),
    );
    for (const table of tables) {
      const result = wrongWay(table, axis, values.length, board, axes);
      complete &&= result.complete;
      if (result.at === null) continue;
      const safer = result.at.with(axis, (result.at[axis] ?? 0) - 1);
      const word = (at: readonly number[]): string => String(values[at[axis] ?? 0]);
      breaches.push({
        property,
        at: result.at,
        safer,
        axis: path,
        why: `${path} ${word(result.at)} is allowed where ${path} ${word(safer)} is not`,
        culprit: table.read.policy.id,
      });
      break;
    }
  }
  return { breaches, complete };
}

function wrongWay(
  table: Table,
  axis: number,
  values: number,
  board: Board,
  axes: readonly Axis[],
): { readonly at: readonly number[] | null; readonly complete: boolean } {
  const step = table.steps[table.axes.indexOf(axis)] ?? 1;
  // A forbid that ends, or a permit that begins, on the step from safer to worse.
  const ends = table.read.policy.effect === 'forbid' ? 1 : 0;
  let complete = true;
  for (const [index, truth] of table.truth.entries()) {
    if (Math.floor(index / step) % values === 0 || truth === ends || table.truth[index - step] !== ends) continue;
    const found = search(
      board,
      axes,
      placeOf(table, index, axes),
      (at) => !permits(board, at.with(axis, (at[axis] ?? 1) - 1)),
    );
    if (found.kind === 'found') return { at: found.at, complete };
    complete &&= found.kind === 'none';
  }
  return { at: null, complete };
}

/** The table's own axes, each held where this entry has it. */
function placeOf({ axes: own, steps }: Table, index: number, axes: readonly Axis[]): Domain {
  return new Map(
    own.map((axis, at) => [axis, [Math.floor(index / (steps[at] ?? 1)) % (axes[axis]?.values.length ?? 1)]] as const),
  );
}
