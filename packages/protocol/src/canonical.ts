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
  // JSON.stringify keeps the order that it finds and spells as the RFC does, at half the time.
  if (isOrdered(value)) return JSON.stringify(value);
  if (typeof value === 'number') throw new CordonError('not-canonical', 'a record holds safe integers only');
  if (typeof value === 'string') throw new CordonError('not-canonical', 'a record holds well-formed Unicode only');
  if (typeof value !== 'object' || value === null) {
    throw new CordonError('not-canonical', `a record holds no ${typeof value}`);
  }
  const known = sealOf(value);
  if (known !== undefined) return known.text;
  return Array.isArray(value)
    ? canonicalList(value)
    : canonicalMembers(value as { readonly [key: string]: RecordValue });
}

/**
 * Whether every value is one that a record may hold and all members stand in the order of RFC 8785 §3.2.3, which
 * sorts by UTF-16 code unit, as strings compare. A sealed part has its text already, so it is not read again.
 */
function isOrdered(value: unknown): boolean {
  // A lone surrogate has no UTF-8 form, so two writers could disagree about its bytes.
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0);
  if (typeof value !== 'object') return typeof value === 'boolean';
  if (value === null) return true;
  if (sealOf(value) !== undefined) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) if (!isOrdered(value[index])) return false;
    return true;
  }
  let before = '';
  for (const key in value) {
    if (key < before || !key.isWellFormed() || !isOrdered((value as Record<string, unknown>)[key])) return false;
    before = key;
  }
  return true;
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
  // From the length, because `map` alone leaves out what is not there.
  return `[${Array.from(values, canonicalize).join(',')}]`;
}

function canonicalMembers(record: { readonly [key: string]: RecordValue }): string {
  const keys = Object.keys(record);
  // Most that get here are in order and hold a sealed part.
  if (keys.some((key, index) => index > 0 && key < (keys[index - 1] as string))) keys.sort();
  let text = '';
  for (const key of keys) {
    text += `${text === '' ? '{' : ','}${canonicalize(key)}:${canonicalize(record[key] as RecordValue)}`;
  }
  return text === '' ? '{}' : `${text}}`;
}
