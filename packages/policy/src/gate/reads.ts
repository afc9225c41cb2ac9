import type { PolicyJson } from '../engine/answer.ts';

/** Parts of the context as `name` or `name.name`; null: all of it. */
export type Reads = readonly string[] | null;

/**
 * The parts of the context that a policy names. Two requests that differ in other parts only are the same to it, since
 * Cedar's language has no way to a value but by its name. Whoever names the context itself reads all of it.
 */
export function contextReads({ conditions }: Pick<PolicyJson, 'conditions'>): Reads {
  const found = new Set<string>();
  const whole = conditions.some(({ body }) => !visit(body, found));
  return whole ? null : [...found].sort();
}

/** What several policies read together. */
export function allReads(each: readonly Reads[]): Reads {
  const found = new Set<string>();
  for (const reads of each) {
    if (reads === null) return null;
    for (const path of reads) found.add(path);
  }
  return [...found].sort();
}

/** Whether its answer may change when people have approved. */
export function readsApproval(reads: Reads): boolean {
  return reads === null || reads.some((path) => path.split('.')[0] === 'approval');
}

/** False: the context stands somewhere by itself. */
function visit(node: unknown, found: Set<string>): boolean {
  if (typeof node !== 'object' || node === null) return true;
  const path = pathOf(node);
  if (path === '') return false;
  if (path !== null) {
    found.add(path);
    return true;
  }
  return Object.values(node).every((part) => visit(part, found));
}

/** `context` is '', `context.a.b` is 'a.b'; null: something else, whose parts are looked at one by one. */
function pathOf(node: object): string | null {
  if ('Var' in node) return node.Var === 'context' ? '' : null;
  if (!('.' in node)) return null;
  const { left, attr } = node['.'] as { readonly left?: unknown; readonly attr?: unknown };
  if (typeof left !== 'object' || left === null || typeof attr !== 'string') return null;
  const before = pathOf(left);
  if (before === null) return null;
  return before === '' ? attr : `${before}.${attr}`;
}
