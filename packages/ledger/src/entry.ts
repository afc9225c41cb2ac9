import { canonicalize, type Entry, type RecordValue, type Seal } from '@cordon/protocol';

const members = ['at', 'data', 'prev', 'seal', 'seq', 'session', 'tenant', 'type', 'v', 'writer', 'wseq'];
const digestPattern = /^sha256:[0-9a-f]{64}$/;
const timePattern = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws CordonError `not-canonical` */
export function entryText(entry: Entry): string {
  return canonicalize(entry as unknown as RecordValue);
}

/**
 * The entry that these bytes are, or null.
 * `type` is not checked against the known ones: a later version's entries must stay verifiable by this one.
 */
export function parseEntry(bytes: Uint8Array): Entry | null {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    return null;
  }
  return isEntry(value) ? value : null;
}

/** Whether the bytes are the one canonical form of what they say: no member twice, no other spelling, no other order. */
export function isCanonical(entry: Entry, bytes: Buffer): boolean {
  try {
    return entryText(entry) === bytes.toString();
  } catch {
    return false;
  }
}

/** Whether it has an entry's members, each of its type. */
export function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const entry = value as Partial<Record<keyof Entry, unknown>>;
  return (
    Object.keys(value).length === members.length &&
    members.every((member) => Object.hasOwn(value, member)) &&
    entry.v === 'entry/1' &&
    typeof entry.writer === 'string' &&
    isPosition(entry.wseq) &&
    typeof entry.prev === 'string' &&
    digestPattern.test(entry.prev) &&
    typeof entry.tenant === 'string' &&
    typeof entry.type === 'string' &&
    typeof entry.at === 'string' &&
    timePattern.test(entry.at) &&
    (entry.session === null || typeof entry.session === 'string') &&
    (entry.seq === null || (isPosition(entry.seq) && entry.session !== null)) &&
    typeof entry.data === 'object' &&
    entry.data !== null &&
    !Array.isArray(entry.data) &&
    (entry.seal === null || isSeal(entry.seal))
  );
}

function isSeal(value: unknown): value is Seal {
  if (typeof value !== 'object' || value === null) return false;
  const seal = value as Partial<Record<keyof Seal, unknown>>;
  return (
    Object.keys(value).length === 3 &&
    typeof seal.digest === 'string' &&
    digestPattern.test(seal.digest) &&
    Number.isSafeInteger(seal.bytes) &&
    (seal.bytes as number) >= 0 &&
    typeof seal.key === 'string'
  );
}

function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

/** A string member of an entry's data, or null. */
export function textOf(entry: Entry, member: string): string | null {
  const value = Object.hasOwn(entry.data, member) ? entry.data[member] : null;
  return typeof value === 'string' ? value : null;
}
