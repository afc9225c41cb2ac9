import { type RecordValue, sealRecord } from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import { limits } from '../limits.ts';

/** 0 untrusted · 1 derived · 2 vouched · 3 a person · 4 the operator. */
export type Integrity = 0 | 1 | 2 | 3 | 4;
/** 0 public · 1 internal · 2 private · 3 secret. */
export type Confidentiality = 0 | 1 | 2 | 3;

/**
 * What is known of a piece of data: who could have written it, and who may read it.
 * INVARIANT: sealed, in canonical order; only {@link createLabel} makes one, so lists are sorted, unique and bounded.
 */
export interface Label {
  readonly v: 'label/1';
  readonly integrity: Integrity;
  readonly confidentiality: Confidentiality;
  /** Names of persons, or everybody. An empty list is nobody. */
  readonly readers: 'all' | readonly string[];
  /** Where it came from, for explanations only; the first by code unit when there are more than are kept. */
  readonly sources: readonly string[];
}

export type LabelParts = Omit<Label, 'v'>;

/** Too many readers are nobody: a list that cannot be kept whole must not grow by what is cut off. */
export function createLabel({ integrity, confidentiality, readers, sources }: LabelParts): Label {
  const kept = readers === 'all' ? readers : sorted(readers);
  return sealRecord({
    confidentiality,
    integrity,
    readers: kept !== 'all' && kept.length > limits.labelReadersMax ? [] : kept,
    sources: sorted(sources).slice(0, limits.labelSourcesMax),
    v: 'label/1',
  });
}

/** What a label is when nobody knows it any more: anybody may have written it, nobody may read it. */
export const lostLabel: Label = createLabel({ integrity: 0, confidentiality: 2, readers: [], sources: ['lost'] });

/** The label of data made from both: as untrusted as the worse, as private as the more private. */
export function joinLabels(a: Label, b: Label): Label {
  // Most of what a session sees it has seen the like of.
  if (holds(a, b)) return a;
  return createLabel({
    integrity: Math.min(a.integrity, b.integrity) as Integrity,
    confidentiality: Math.max(a.confidentiality, b.confidentiality) as Confidentiality,
    readers: both(a.readers, b.readers),
    sources: [...a.sources, ...b.sources],
  });
}

export function digestLabel(label: Label): Digest {
  return digestRecord('label', label as unknown as RecordValue);
}

/** Equal in everything that decides; sources only explain. */
export function isSameLevel(a: Label, b: Label): boolean {
  const { integrity, confidentiality, readers } = a;
  if (integrity !== b.integrity || confidentiality !== b.confidentiality) return false;
  if (readers === 'all' || b.readers === 'all') return readers === b.readers;
  return readers.length === b.readers.length && readers.every((reader, index) => reader === b.readers[index]);
}

/** A label as it was recorded or stored; null for anything else, which its reader takes for {@link lostLabel}. */
export function parseLabel(value: unknown): Label | null {
  if (typeof value !== 'object' || value === null) return null;
  const { v, integrity, confidentiality, readers, sources } = value as Readonly<Record<string, unknown>>;
  if (v !== 'label/1' || !isLevel(integrity, 4) || !isLevel(confidentiality, 3)) return null;
  if (readers !== 'all' && !isNames(readers, limits.labelReadersMax)) return null;
  if (!isNames(sources, limits.labelSourcesMax)) return null;
  return createLabel({
    integrity: integrity as Integrity,
    confidentiality: confidentiality as Confidentiality,
    readers,
    sources,
  });
}

/** Whether a join with `b` leaves `a` as it is. */
function holds(a: Label, { integrity, confidentiality, readers, sources }: Label): boolean {
  if (a.integrity > integrity || a.confidentiality < confidentiality) return false;
  if (readers !== 'all' && (a.readers === 'all' || !a.readers.every((reader) => readers.includes(reader))))
    return false;
  return sources.every((source) => a.sources.includes(source));
}

function both(a: Label['readers'], b: Label['readers']): Label['readers'] {
  if (a === 'all') return b;
  return b === 'all' ? a : a.filter((reader) => b.includes(reader));
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

function isLevel(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

function isNames(value: unknown, max: number): value is readonly string[] {
  return Array.isArray(value) && value.length <= max && value.every((name) => typeof name === 'string');
}
