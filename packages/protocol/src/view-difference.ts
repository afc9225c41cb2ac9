import { diffLines } from 'diff';
import type { View } from './hold.ts';
import type { Intent } from './intent.ts';
import { limits } from './limits.ts';

/** One thing that is not as it was. What it says is the agent's; null: it was, or is, not there. */
export interface Difference {
  readonly at: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** The last request of this kind that people approved, as far as whoever shows the view could check it. */
export type Earlier =
  | { readonly kind: 'first' }
  /** The record says that there was one, and nobody can read it any more, or nobody is known who signed it. */
  | { readonly kind: 'unreadable' | 'unsigned'; readonly hold: string }
  | { readonly kind: 'checked'; readonly view: View; readonly by: readonly string[] };

/** What is compared with each other: the same agent, doing the same at the same place. */
export function kindOf({ agent, action, resource, args }: Intent): string {
  return JSON.stringify([agent, action, resource, args['method'] ?? null, args['path'] ?? null]);
}

/** Target, headers, whatever else the intent says, and the body: JSON field by field, other text by lines. */
export function differences(before: View, now: View): Difference[] {
  return [...fieldsApart(argumentsOf(before), argumentsOf(now)), ...bodiesApart(before, now)];
}

function argumentsOf({ intent }: View): Map<string, string> {
  const { headers, query: _read, path, search, ...others } = intent.args;
  const found = new Map<string, string>();
  if (path !== undefined) found.set('target', typeof search === 'string' ? `${String(path)}?${search}` : String(path));
  for (const [name, value] of pairsOf(headers)) {
    const at = `header ${name}`;
    found.set(at, found.has(at) ? `${found.get(at)}\n${value}` : value);
  }
  for (const [at, value] of flat(others, '') ?? []) found.set(at.slice(1), value);
  return found;
}

function pairsOf(value: unknown): ReadonlyArray<readonly [string, string]> {
  return Array.isArray(value) ? (value as ReadonlyArray<readonly [string, string]>) : [];
}

function fieldsApart(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): Difference[] {
  return [...new Set([...before.keys(), ...now.keys()])]
    .filter((at) => before.get(at) !== now.get(at))
    .map((at) => ({ at, before: before.get(at) ?? null, after: now.get(at) ?? null }));
}

function bodiesApart(before: View, now: View): Difference[] {
  const [old, fresh] = [before.payload?.data ?? null, now.payload?.data ?? null];
  const encodings = [before.payload?.encoding, now.payload?.encoding];
  if (old === fresh && encodings[0] === encodings[1]) return [];
  if (old === null || fresh === null || encodings.includes('base64')) return [sizesApart(before, now)];
  const [oldFields, freshFields] = [jsonFields(old), jsonFields(fresh)];
  if (oldFields !== null && freshFields !== null) {
    const fields = fieldsApart(oldFields, freshFields).map((each) => ({ ...each, at: `body ${each.at}` }));
    if (fields.length > limits.viewEditsMax) return [sizesApart(before, now)];
    // The bytes differ all the same: in spaces, order or spelling.
    return fields.length > 0 ? fields : [{ at: 'body, the same fields written otherwise', before: old, after: fresh }];
  }
  return linesApart(old, fresh) ?? [sizesApart(before, now)];
}

function sizesApart(before: View, now: View): Difference {
  const word = ({ payload, intent }: View): string | null =>
    payload === null ? null : `${intent.payload.bytes} bytes, sha256 ${intent.payload.sha256}`;
  return { at: 'body', before: word(before), after: word(now) };
}

/** Null where that takes more edits than a person would read. */
function linesApart(before: string, now: string): Difference[] | null {
  const changes = diffLines(before, now, { maxEditLength: limits.viewEditsMax });
  if (changes === undefined) return null;
  const found: Difference[] = [];
  let line = 1;
  for (const [index, { added, removed, value, count }] of changes.entries()) {
    const text = value.replace(/\n$/, '');
    const previous = changes[index - 1];
    const last = found.at(-1);
    if (added && previous?.removed === true && last !== undefined) found.splice(-1, 1, { ...last, after: text });
    else if (added) found.push({ at: `body line ${line}`, before: null, after: text });
    else if (removed) found.push({ at: `body line ${line}`, before: text, after: null });
    if (!removed) line += count;
  }
  return found;
}

/** A number as it is written: what two spellings stand for may be one number here and two elsewhere. */
class Spelt {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Every leaf by its JSON pointer; null for what is no JSON, or says one name twice, so that a field would be hidden. */
function jsonFields(text: string): Map<string, string> | null {
  let spelt = true;
  const revive = (_name: string, value: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof value !== 'number') return value;
    spelt &&= context?.source !== undefined;
    return new Spelt(context?.source ?? '');
  };
  try {
    const value: unknown = JSON.parse(text, revive as (name: string, value: unknown) => unknown);
    return spelt && namesIn(value) === namesWritten(text) ? flat(value, '') : null;
  } catch {
    return null;
  }
}

function namesWritten(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter((match) => match[1] !== undefined).length;
}

function namesIn(value: unknown): number {
  if (!isNest(value)) return 0;
  const inner = Object.values(value).reduce<number>((sum, each) => sum + namesIn(each), 0);
  return Array.isArray(value) ? inner : inner + Object.keys(value).length;
}

function flat(value: unknown, at: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (each: unknown, pointer: string): void => {
    if (!isNest(each) || Object.keys(each).length === 0) {
      found.set(pointer, each instanceof Spelt ? each.text : JSON.stringify(each));
      return;
    }
    for (const [name, inner] of Object.entries(each)) {
      walk(inner, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }
  };
  walk(value, at);
  return found;
}

function isNest(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Spelt);
}
