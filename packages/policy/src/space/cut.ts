import type { PolicyJson } from '../engine/answer.ts';

/** Where a policy looks at numbers of the context: a value below a border and one at it may be told apart. */
export interface Cuts {
  /** Borders per path: values `< n` and `>= n` are two classes. */
  readonly borders: ReadonlyMap<string, ReadonlySet<number>>;
  /** Paths that are compared with something other than a literal, so that each of their values counts. */
  readonly whole: ReadonlySet<string>;
}

type Node = Readonly<Record<string, unknown>>;
/** Where each operator changes its answer, relative to the literal on its right. */
const borders: Readonly<Record<string, readonly number[]>> = {
  '<': [0],
  '>=': [0],
  '<=': [1],
  '>': [1],
  '==': [0, 1],
  '!=': [0, 1],
};
const mirrored: Readonly<Record<string, string>> = {
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
};

export function cutsOf({ conditions }: Pick<PolicyJson, 'conditions'>): Cuts {
  const found = new Map<string, Set<number>>();
  const whole = new Set<string>();
  for (const { body } of conditions) visit(body, found, whole);
  return { borders: found, whole };
}

function visit(node: unknown, found: Map<string, Set<number>>, whole: Set<string>): void {
  if (typeof node !== 'object' || node === null) return;
  const path = contextPath(node);
  if (path !== null) {
    whole.add(path);
    return;
  }
  const [operator = '', parts] = Object.entries(node)[0] ?? [];
  if (Object.hasOwn(borders, operator)) {
    const { left, right } = parts as { readonly left?: unknown; readonly right?: unknown };
    if (border(left, operator, right, found) || border(right, mirrored[operator] ?? operator, left, found)) return;
  }
  for (const part of Object.values(node)) visit(part, found, whole);
}

function border(side: unknown, operator: string, other: unknown, found: Map<string, Set<number>>): boolean {
  const path = contextPath(side);
  const number = numberOf(other);
  if (path === null || number === null) return false;
  const known = found.get(path) ?? new Set();
  for (const step of borders[operator] ?? []) known.add(number + step);
  found.set(path, known);
  return true;
}

function numberOf(node: unknown): number | null {
  if (typeof node !== 'object' || node === null) return null;
  const value = (node as Node)['Value'];
  return typeof value === 'number' ? value : null;
}

/** `context.a.b` is `a.b`; null for anything else, the context itself included. */
export function contextPath(node: unknown): string | null {
  if (typeof node !== 'object' || node === null || !('.' in node)) return null;
  const { left, attr } = node['.'] as { readonly left?: unknown; readonly attr?: unknown };
  if (typeof left !== 'object' || left === null || typeof attr !== 'string') return null;
  if ((left as Node)['Var'] === 'context') return attr;
  const before = contextPath(left);
  return before === null ? null : `${before}.${attr}`;
}
