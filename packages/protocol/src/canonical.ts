import { CordonError } from './error.ts';

/** What our own records may hold. No floats: money is an integer of 10⁻⁶, time is RFC 3339 text. */
export type RecordValue =
  | string
  | number
  | boolean
  | null
  | readonly RecordValue[]
  | { readonly [key: string]: RecordValue };

/**
 * RFC 8785 (JCS) over the values that our records may hold.
 * Refuses what a record must not hold (floats, unsafe integers, lone surrogates, undefined) instead of writing
 * something that another implementation would read differently.
 *
 * @throws CordonError `not-canonical`
 */
export function canonicalize(value: RecordValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw new CordonError('not-canonical', 'a record holds safe integers only');
    }
    return String(value);
  }
  if (typeof value !== 'object') throw new CordonError('not-canonical', `a record holds no ${typeof value}`);
  const known = sealOf(value);
  if (known !== undefined) return known.text;
  return Array.isArray(value)
    ? canonicalList(value)
    : canonicalMembers(value as { readonly [key: string]: RecordValue });
}

/** Where a sealed record keeps its text: not enumerable, so no copy of the record has it. */
const seal = Symbol('canonical text');

interface RecordSeal {
  readonly text: string;
  /** Of the text, as a record of this kind; whoever asks for it first leaves it here. */
  digest: { readonly kind: string; readonly value: string } | null;
}

interface Sealed {
  readonly [seal]?: RecordSeal;
}

/**
 * Freezes a record of plain data through and through and writes its canonical text once; whoever hashes or records it
 * afterwards finds that text. INVARIANT: nothing below a sealed record can change, so the text stays the record's own.
 *
 * @throws CordonError `not-canonical`
 */
export function sealRecord<Value extends object>(record: Value): Value {
  if (sealOf(record) !== undefined) return record;
  const value: RecordSeal = { text: canonicalize(record as unknown as RecordValue), digest: null };
  for (const member of Object.values(record)) freeze(member);
  return Object.freeze(Object.defineProperty(record, seal, { value }));
}

/** The record's own seal, never that of a record it inherits from. */
export function sealOf(record: object): RecordSeal | undefined {
  return Object.hasOwn(record, seal) ? (record as Sealed)[seal] : undefined;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || sealOf(value) !== undefined) return;
  for (const member of Object.values(value)) freeze(member);
  Object.freeze(value);
}

function canonicalList(values: readonly RecordValue[]): string {
  let text = '[';
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ',';
    text += canonicalize(values[index] as RecordValue);
  }
  return `${text}]`;
}

function canonicalMembers(record: { readonly [key: string]: RecordValue }): string {
  // RFC 8785 §3.2.3 sorts by UTF-16 code unit, which is what the default comparison of strings does.
  const keys = Object.keys(record);
  if (!areSorted(keys)) keys.sort();
  let text = '{';
  for (const key of keys) {
    if (text.length > 1) text += ',';
    text += `${canonicalString(key)}:${canonicalize(record[key] as RecordValue)}`;
  }
  return `${text}}`;
}

function areSorted(keys: readonly string[]): boolean {
  for (let index = 1; index < keys.length; index++) {
    if ((keys[index - 1] as string) > (keys[index] as string)) return false;
  }
  return true;
}

/** ASCII without what JSON escapes: most strings of a record, and hashing records is on the path of every decision. */
const plain = /^[ !#-[\]-~]*$/;

function canonicalString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  // A lone surrogate has no UTF-8 form, so two writers could disagree about its bytes.
  if (!text.isWellFormed()) throw new CordonError('not-canonical', 'a record holds well-formed Unicode only');
  return JSON.stringify(text);
}
