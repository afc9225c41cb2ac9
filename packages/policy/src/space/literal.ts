import type { PolicyJson } from '../engine/answer.ts';
import { contextPath } from './cut.ts';

/** The names that one policy speaks of; what lies between them is sampled, not proven. */
export interface Literals {
  /** Entities of scope and conditions, without effects. */
  readonly entities: readonly Entity[];
  /** Strings that are compared with each path of the context; `like` patterns with their wildcards as null. */
  readonly strings: ReadonlyMap<string, readonly Pattern[]>;
  /** Keys of tags, and every string and number of the policy: what an argument may be compared with. */
  readonly tags: readonly string[];
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  /** Its conditions look at the principal, the action or the resource; its scope is read apart. */
  readonly reads: ReadonlySet<'principal' | 'action' | 'resource'>;
}

export interface Entity {
  readonly type: string;
  readonly id: string;
}
/** Parts of a text; null stands for anything. */
export type Pattern = readonly (string | null)[];

interface Found {
  readonly entities: Map<string, Entity>;
  readonly strings: Map<string, Pattern[]>;
  readonly tags: Set<string>;
  readonly texts: Set<string>;
  readonly numbers: Set<number>;
  readonly reads: Set<'principal' | 'action' | 'resource'>;
}

export function literalsOf(policy: PolicyJson): Literals {
  const found: Found = {
    entities: new Map(),
    strings: new Map(),
    tags: new Set(),
    texts: new Set(),
    numbers: new Set(),
    reads: new Set(),
  };
  for (const name of ['principal', 'action', 'resource'] as const) scopeEntities(policy[name], found);
  for (const { body } of policy.conditions) visit(body, found);
  return {
    entities: [...found.entities.values()],
    strings: found.strings,
    tags: [...found.tags],
    texts: [...found.texts],
    numbers: [...found.numbers],
    reads: found.reads,
  };
}

function scopeEntities(node: unknown, found: Found): void {
  if (typeof node !== 'object' || node === null) return;
  if ('type' in node && 'id' in node) addEntity(node, found);
  else for (const part of Object.values(node)) scopeEntities(part, found);
}

function addEntity(node: { readonly type: unknown; readonly id: unknown }, found: Found): void {
  const { type, id } = node;
  if (typeof type === 'string' && typeof id === 'string') found.entities.set(`${type}\n${id}`, { type, id });
}

function visit(node: unknown, found: Found): void {
  if (typeof node !== 'object' || node === null) return;
  const [operator = '', parts] = Object.entries(node)[0] ?? [];
  if (operator === 'Value') {
    value(parts, found);
    return;
  }
  if (operator === 'Var') {
    const name: unknown = parts;
    if (name === 'principal' || name === 'action' || name === 'resource') found.reads.add(name);
    return;
  }
  const { left, right, pattern } = parts as {
    readonly left?: unknown;
    readonly right?: unknown;
    readonly pattern?: unknown;
  };
  if (operator === 'hasTag' || operator === 'getTag') {
    const key = textOf(right);
    if (key !== null) found.tags.add(key);
    visit(left, found);
    return;
  }
  if (operator === 'like' && Array.isArray(pattern)) addStrings(contextPath(left), [patternOf(pattern)], found);
  if (operator === '==' || operator === '!=') {
    addStrings(contextPath(left), texts(right), found);
    addStrings(contextPath(right), texts(left), found);
  }
  if (operator === 'contains') addStrings(contextPath(right), texts(left), found);
  for (const part of Object.values(node)) visit(part, found);
}

function value(literal: unknown, found: Found): void {
  if (typeof literal === 'string') found.texts.add(literal);
  if (typeof literal === 'number') found.numbers.add(literal);
  if (typeof literal === 'object' && literal !== null && '__entity' in literal) {
    addEntity(literal.__entity as { readonly type: unknown; readonly id: unknown }, found);
  }
}

function addStrings(path: string | null, patterns: readonly Pattern[], found: Found): void {
  if (path === null || patterns.length === 0) return;
  found.strings.set(path, [...(found.strings.get(path) ?? []), ...patterns]);
}

/** The strings of a literal, or of a set of literals. */
function texts(node: unknown): Pattern[] {
  const one = textOf(node);
  if (one !== null) return [[one]];
  const members = typeof node === 'object' && node !== null && 'Set' in node ? node.Set : null;
  if (!Array.isArray(members)) return [];
  return members.flatMap((member) => {
    const text = textOf(member);
    return text === null ? [] : [[text]];
  });
}

function textOf(node: unknown): string | null {
  if (typeof node !== 'object' || node === null || !('Value' in node)) return null;
  return typeof node.Value === 'string' ? node.Value : null;
}

function patternOf(parts: readonly unknown[]): Pattern {
  const pattern: (string | null)[] = [];
  for (const part of parts) {
    if (part === 'Wildcard') {
      pattern.push(null);
      continue;
    }
    const text = (part as { readonly Literal: string }).Literal;
    const last = pattern.at(-1);
    if (typeof last === 'string') pattern[pattern.length - 1] = last + text;
    else pattern.push(text);
  }
  return pattern;
}
