import type { Intent } from '@cordon/protocol';
import { authorize } from '../decide/authorize.ts';
import type { ApprovalFacts, Facts } from '../fact/facts.ts';
import { limits } from '../limits.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { type Axis, type AxisValue, axesOf } from '../space/axis.ts';
import { readSnapshot } from '../space/board.ts';

/** One fact that would have to be another. */
export interface FactChange {
  readonly fact: string;
  readonly from: string;
  readonly to: string;
}

/** What a request is, not what it is judged by; changing these would be another request. */
const ownParts = new Set(['effect', 'http.bytes', 'http.body', 'args', 'nums']);
const never = '9999-12-31T23:59:59.999Z';
const monday = Date.UTC(2024, 0, 1);

/**
 * The facts nearest to these with which the same intent would be allowed: one finite fact changed, else two. Empty when
 * it is allowed, and when no two would do (a grant is missing, say).
 */
export function nearestAllowed(
  snapshot: PolicySnapshot,
  intent: Intent,
  facts: Facts,
  approval: ApprovalFacts,
): readonly (readonly FactChange[])[] {
  const allows = (changes: readonly Flip[]): boolean => {
    const other = changes.reduce(flip, { facts, approval });
    return authorize(snapshot, snapshot.principal, intent, other.facts, other.approval).outcome === 'allow';
  };
  if (allows([])) return [];
  const axes = axesOf(readSnapshot(snapshot).all).filter((axis) => !ownParts.has(axis.path));
  const flips = axes.flatMap((axis) => flipsOf(axis, facts, approval));
  const single = flips.filter((each) => allows([each]));
  if (single.length > 0) return single.map((each) => [each.shown]);
  const pairs: (readonly FactChange[])[] = [];
  let left: number = limits.nearestTriesMax;
  for (const [index, first] of flips.entries()) {
    for (const second of flips.slice(index + 1)) {
      if (first.axis.path === second.axis.path) continue;
      if (--left < 0 || pairs.length >= limits.nearestPairsMax) return pairs;
      if (allows([first, second])) pairs.push([first.shown, second.shown]);
    }
  }
  return pairs;
}

interface Flip {
  readonly axis: Axis;
  readonly value: AxisValue;
  readonly shown: FactChange;
}
interface Given {
  readonly facts: Facts;
  readonly approval: ApprovalFacts;
}

function flipsOf(axis: Axis, facts: Facts, approval: ApprovalFacts): Flip[] {
  const now = factOf(axis.path, { facts, approval });
  return axis.values
    .filter((value) => value !== now && typeof value !== 'object')
    .map((value) => ({ axis, value, shown: { fact: axis.path, from: String(now), to: String(value) } }));
}

function factOf(path: string, { facts, approval }: Given): unknown {
  const [group = '', name] = path.split('.');
  if (group === 'approval') return approval[name as keyof ApprovalFacts];
  if (group === 'flow') return facts.flow[name as keyof Facts['flow']];
  return facts[group as keyof Facts];
}

function flip({ facts, approval }: Given, { axis: { path }, value }: Flip): Given {
  const [group = '', name = ''] = path.split('.');
  if (group === 'approval') return { facts, approval: { ...approval, [name]: value } };
  if (group === 'flow') return { facts: { ...facts, flow: { ...facts.flow, [name]: value } }, approval };
  if (group === 'minuteOfWeek') {
    const at = new Date(monday + Number(value) * 60_000).toISOString();
    return { facts: { ...facts, at, freshUntil: never, minuteOfWeek: Number(value) }, approval };
  }
  return { facts: { ...facts, [group]: value }, approval };
}
