import type { PolicyJson } from '../engine/answer.ts';

/** Entities that a policy asks membership of, each as {@link sightKey}; null: more than can be told from its text. */
export type Sights = readonly string[] | null;

/** A type has no line break, so the first one ends it. */
export function sightKey({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type}\n${id}`;
}

/**
 * What a policy can see of the hierarchy: entities have no attributes, so of who acts and on what it can learn the name,
 * the type, and whether it is in an entity that stands in the policy. Tags it can see by way of the context alone.
 * INVARIANT: any other way to look at an entity gives null. Membership is silent: what is missing is just not in.
 */
export function sightsOf(policy: Pick<PolicyJson, 'principal' | 'resource' | 'conditions'>): Sights {
  const found = new Set<string>();
  for (const scope of [policy.principal, policy.resource]) {
    const entity = scope.op === 'is' ? scope.in : scope.op === 'in' ? scope : undefined;
    if (entity !== undefined && !addTarget({ Value: 'entity' in entity ? entity.entity : null }, found)) return null;
  }
  return policy.conditions.every(({ body }) => visit(body, found)) ? [...found].sort() : null;
}

/** False: it looks at an entity in another way than those above. */
function visit(node: unknown, found: Set<string>): boolean {
  if (typeof node !== 'object' || node === null) return true;
  const [operator, parts] = Object.entries(node)[0] ?? [];
  const { left, right, in: within } = (parts ?? {}) as { left?: unknown; right?: unknown; in?: unknown };
  if (operator === 'in' && !(isActor(left) && addTarget(right, found))) return false;
  if (operator === 'is' && within !== undefined && !(isActor(left) && addTarget(within, found))) return false;
  if ((operator === 'hasTag' || operator === 'getTag') && !isOfContext(left)) return false;
  return Object.values(node).every((part) => visit(part, found));
}

function isActor(node: unknown): boolean {
  const name = memberOf(node, 'Var');
  return name === 'principal' || name === 'resource' || name === 'action';
}

/** `context.args` and `context.nums`: their entity is there whenever they are. */
function isOfContext(node: unknown): boolean {
  return memberOf(memberOf(memberOf(node, '.'), 'left'), 'Var') === 'context';
}

/** An entity or a set of them, each in so many words. */
function addTarget(node: unknown, found: Set<string>): boolean {
  const members = memberOf(node, 'Set');
  if (Array.isArray(members)) return members.every((member) => addTarget(member, found));
  const value = memberOf(node, 'Value');
  const uid = memberOf(value, '__entity') ?? value;
  const [type, id] = [memberOf(uid, 'type'), memberOf(uid, 'id')];
  if (typeof type !== 'string' || typeof id !== 'string') return false;
  found.add(sightKey({ type, id }));
  return true;
}

function memberOf(node: unknown, name: string): unknown {
  return typeof node === 'object' && node !== null ? (node as Readonly<Record<string, unknown>>)[name] : undefined;
}
