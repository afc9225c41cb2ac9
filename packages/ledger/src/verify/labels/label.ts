import type { RecordValue } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';

/** What of a label decides. */
export interface Levels {
  readonly integrity: number;
  readonly confidentiality: number;
  readonly readers: 'all' | readonly string[];
}

export interface RecordedLabel extends Levels {
  readonly sources: readonly string[];
  readonly digest: string;
}

/** Of `label/1`: more readers are nobody, and of more sources the first are kept. */
const readersMax = 32;
const sourcesMax = 64;

/** What a session has seen when nobody knows it any more. */
const lost: Levels = { integrity: 0, confidentiality: 2, readers: [] };

/** The label of an entry; null when it is none in its one canonical form, or the digest beside it is not its own. */
export function readLabel(data: Readonly<Record<string, RecordValue>>): RecordedLabel | null {
  const after = data['after'];
  const levels = readLevels(after);
  if (levels === null) return null;
  const { v, sources } = after as { readonly v?: RecordValue; readonly sources?: RecordValue };
  if (v !== 'label/1' || !isNames(sources, sourcesMax)) return null;
  const digest = digestRecord('label', after as RecordValue);
  return digest === data['digest'] ? { ...levels, sources, digest } : null;
}

/** As the order of a session says what it starts with; null stands for what is lost. Undefined: it does not say. */
export function readStart(value: RecordValue | undefined): Levels | undefined {
  if (value === undefined) return undefined;
  return value === null ? lost : (readLevels(value) ?? undefined);
}

function readLevels(value: RecordValue | undefined): Levels | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { integrity, confidentiality, readers } = value as Readonly<Record<string, RecordValue>>;
  if (!isLevel(integrity, 4) || !isLevel(confidentiality, 3)) return null;
  if (readers !== 'all' && !isNames(readers, readersMax)) return null;
  return { integrity, confidentiality, readers };
}

/** As untrusted, as private and as little read as the other, or more so: what a join with it can only be. */
export function isNoBetter(a: Levels, b: Levels): boolean {
  if (a.integrity > b.integrity || a.confidentiality < b.confidentiality) return false;
  if (b.readers === 'all') return true;
  const { readers } = b;
  return a.readers !== 'all' && a.readers.every((reader) => readers.includes(reader));
}

/** Nothing that it came from is left out, but for those behind the last that there is room for. */
export function keepsSources(after: RecordedLabel, before: RecordedLabel): boolean {
  const last = after.sources.at(-1) ?? '';
  const full = after.sources.length === sourcesMax;
  return before.sources.every((source) => after.sources.includes(source) || (full && source > last));
}

function isLevel(value: RecordValue | undefined, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

/** Sorted by code unit, none twice. */
function isNames(value: RecordValue | undefined, max: number): value is readonly string[] {
  if (!Array.isArray(value) || value.length > max) return false;
  const names = value as readonly RecordValue[];
  return names.every((name, at) => typeof name === 'string' && (at === 0 || (names[at - 1] as string) < name));
}
