import { approvalFields, commonFields, effects, type Field, flowFields } from '../fact/field.ts';
import { limits } from '../limits.ts';
import type { ReadPolicy } from './read.ts';

export interface Tags {
  readonly [pointer: string]: readonly string[] | number;
}
export type AxisValue = boolean | number | string | Tags;

/**
 * One finite part of a request and the values of it that policies can tell apart.
 * `worse` says in which direction it grows more dangerous; where it says so the values stand safest first.
 */
export interface Axis {
  readonly path: string;
  readonly values: readonly AxisValue[];
  readonly ordered: boolean;
  /** Index of the value that an ordinary request has; where counterexamples begin. */
  readonly usual: number;
  /** Not every value that could matter is there. */
  readonly sampled: boolean;
}

/** Which end is the dangerous one. What is not here has none: an effect, the time of the week. */
const worse: Readonly<Record<string, 'low' | 'high'>> = {
  undoable: 'low',
  live: 'low',
  covered: 'low',
  pinned: 'low',
  quotaOk: 'low',
  breaker: 'high',
  anomaly: 'high',
  boundary: 'low',
  attested: 'low',
  'flow.argInteg': 'low',
  'flow.argConf': 'high',
  'flow.ctxInteg': 'low',
  'flow.ctxConf': 'high',
  'flow.destInteg': 'low',
  'flow.clearance': 'low',
  'flow.readersOk': 'low',
  'flow.linksOk': 'low',
  'flow.leakOk': 'low',
  'approval.quorum': 'low',
  'approval.strong': 'low',
};

const usual: Readonly<Record<string, AxisValue>> = {
  effect: 'read',
  undoable: false,
  live: true,
  covered: true,
  pinned: true,
  quotaOk: true,
  breaker: 0,
  anomaly: 0,
  minuteOfWeek: 600,
  boundary: 1,
  attested: 0,
  depth: 0,
  'flow.argInteg': 2,
  'flow.argConf': 0,
  'flow.ctxInteg': 2,
  'flow.ctxConf': 0,
  'flow.destInteg': 3,
  'flow.clearance': 0,
  'flow.readersOk': false,
  'flow.linksOk': true,
  'flow.leakOk': true,
  'approval.quorum': 0,
  'approval.strong': false,
  'http.bytes': 0,
  'http.body': 'none',
};

/** Borders that the properties themselves look at (property.ts), so that no class lies across one. */
const ownBorders: Readonly<Record<string, readonly number[]>> = {
  'flow.destInteg': [1, 3],
  'flow.ctxInteg': [1],
  'flow.ctxConf': [2],
  'flow.argConf': [3],
  'flow.clearance': [3],
  'approval.quorum': [1],
};

type AxisField = Field | { readonly type: 'kind' };
const bytesMax = 2 ** 48;
const fields: ReadonlyMap<string, AxisField> = new Map<string, AxisField>([
  ...Object.entries(commonFields),
  ...Object.entries(flowFields).map(([name, field]) => [`flow.${name}`, field] as const),
  ...Object.entries(approvalFields).map(([name, field]) => [`approval.${name}`, field] as const),
  ['http.bytes', { type: 'long', min: 0, max: bytesMax }],
  ['http.body', { type: 'kind' }],
]);
const kinds = ['none', 'json', 'form', 'text', 'opaque'];
/** A range up to this size is taken value by value where a policy compares it with another field. */
const smallRange = 64;

/**
 * The axes of these policies. What none of them reads is not an axis: it stays at its most dangerous value, since the
 * answer is the same for every other.
 */
export function axesOf(policies: readonly ReadPolicy[]): Axis[] {
  const axes = [...fields].map(([path, field]) => fieldAxis(path, field, policies)).filter((axis) => axis !== null);
  return [...axes, ...tagAxes(policies)];
}

function fieldAxis(path: string, field: AxisField, policies: readonly ReadPolicy[]): Axis | null {
  const readers = policies.filter(({ paths }) => paths.has(path));
  // What an action does has no most dangerous value that could stand for the others.
  if (readers.length === 0 && path !== 'effect') return null;
  switch (field.type) {
    case 'bool':
      return axisOf(path, [true, false], false);
    case 'effect':
      return axisOf(path, effects, false);
    case 'kind':
      return axisOf(path, kinds, false);
    case 'long':
      return longAxis(path, field, readers);
  }
}

function longAxis(
  path: string,
  { min, max }: { readonly min: number; readonly max: number },
  readers: readonly ReadPolicy[],
): Axis {
  const whole = readers.some(({ cuts }) => cuts.whole.has(path));
  if (whole && max - min < smallRange) {
    return axisOf(
      path,
      Array.from({ length: max - min + 1 }, (_, index) => min + index),
      false,
    );
  }
  const borders = readers.flatMap(({ cuts }) => [...(cuts.borders.get(path) ?? [])]);
  const literals = whole ? readers.flatMap(({ literals: { numbers } }) => numbers.flatMap((n) => [n, n + 1])) : [];
  const starts = [...new Set([min, ...(ownBorders[path] ?? []), ...borders, ...literals])]
    .filter((n) => n >= min && n <= max)
    .sort((a, b) => a - b);
  const ordinary = usual[path];
  const values = starts.map((start, index) => {
    const end = starts[index + 1] ?? max + 1;
    return typeof ordinary === 'number' && ordinary >= start && ordinary < end ? ordinary : start;
  });
  return axisOf(path, values, whole);
}

function axisOf(path: string, values: readonly AxisValue[], sampled: boolean): Axis {
  const end = Object.hasOwn(worse, path) ? worse[path] : undefined;
  const rank = (value: AxisValue): number => Number(value) * (end === 'low' ? -1 : 1);
  const sorted = end === undefined ? [...values] : [...values].sort((a, b) => rank(a) - rank(b));
  const at = sorted.indexOf(usual[path] ?? '');
  return { path, values: sorted, ordered: end !== undefined, usual: Math.max(at, 0), sampled };
}

/** Arguments have no finite values: nothing at all, each literal that a policy names, and a text that none does. */
function tagAxes(policies: readonly ReadPolicy[]): Axis[] {
  const axes: Axis[] = [];
  for (const path of ['args', 'nums'] as const) {
    const readers = policies.filter(({ paths }) => paths.has(path));
    const keys = [...new Set(readers.flatMap(({ literals }) => literals.tags))];
    if (readers.length === 0 || keys.length === 0) continue;
    const all = (value: readonly string[] | number): Tags => Object.fromEntries(keys.map((key) => [key, value]));
    const values: readonly (readonly string[] | number)[] =
      path === 'args'
        ? [['fresh'], ...readers.flatMap(({ literals }) => literals.texts.map((text) => [text]))]
        : [0, ...readers.flatMap(({ literals }) => literals.numbers.flatMap((n) => [n - 1, n, n + 1]))];
    const some = values.slice(0, limits.spaceSamplesMax).map(all);
    axes.push({ path, values: [{}, ...some], ordered: false, usual: 0, sampled: true });
  }
  return axes;
}

/** What an axis that is not there stands at: the value that a careless rule would let through last. */
export function worstOf(path: string): AxisValue {
  const field = fields.get(path);
  const end = Object.hasOwn(worse, path) ? worse[path] : undefined;
  if (field === undefined) return {};
  if (field.type === 'bool') return end !== 'low';
  if (field.type === 'long' && end !== undefined) return end === 'high' ? field.max : field.min;
  return usual[path] ?? 0;
}
