import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { RecordValue } from '@cordon/protocol';
import { readBody } from '../body.ts';
import { ledgerError } from '../error.ts';
import { limits } from '../limits.ts';
import type { JournalFiles } from './files.ts';
import { readLink, syncedBehind } from './scan.ts';
import type { Segment } from './segment.ts';
import { listSegments } from './segment.ts';
import { JournalState } from './state.ts';

/** What opening an existing journal found and did; the `recovery` entry says the same. */
export interface RecoveryReport {
  /** Last entry that was kept. */
  readonly wseq: number;
  readonly leaf: string;
  /** Attempts whose effect may or may not have happened. */
  readonly inDoubt: readonly string[];
  readonly cuts: readonly Cut[];
}

/** Bytes behind the last sound frame, moved out of the file. */
export interface Cut {
  readonly [key: string]: RecordValue;
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /** File in the same folder that keeps them. */
  readonly aside: string;
  readonly why: string;
}

export interface Recovered {
  readonly state: JournalState;
  readonly last: Segment | null;
  readonly journalBytes: number;
  readonly bodiesBytes: number;
  readonly report: RecoveryReport | null;
}

interface Opening {
  readonly files: JournalFiles;
  readonly directory: string;
  readonly writer: string;
}

/**
 * Brings a journal that some process left behind into a state that can be appended to (validation.md §8.2):
 * behind the synced mark the first bad frame ends the journal, and the rest is kept aside; a bad frame at or before
 * the mark, or a sound frame in the wrong place, is damage that only a person may judge.
 *
 * @throws CordonError `ledger-damaged`
 */
export function recoverJournal(opening: Opening): Recovered {
  const segments = listSegments(opening.directory);
  const last = segments.at(-1);
  if (last === undefined) {
    return { state: new JournalState(), last: null, journalBytes: 0, bodiesBytes: 0, report: null };
  }
  const state = stateBefore(opening, segments);
  const tail = readTail(opening, last, state);
  const cuts: Cut[] = [];
  if (tail.end < tail.journalBytes) cuts.push(cut(opening, last.journal, tail.end, tail.why));
  if (tail.bodiesEnd < tail.bodiesBytes) cuts.push(cut(opening, last.bodies, tail.bodiesEnd, 'behind the last body'));
  syncSegment(opening.files, last);
  return {
    state,
    last,
    journalBytes: tail.end,
    bodiesBytes: tail.bodiesEnd,
    report: { wseq: state.wseq, leaf: state.leaf, inDoubt: [...state.starts].sort(), cuts },
  };
}

function damaged(file: string, offset: number, why: string): Error {
  return ledgerError('ledger-damaged', `${file} at byte ${offset}: ${why}; compare with a copy before anything else`);
}

/** The state at the start of the last segment: as written down at the rotation, or folded from all segments before. */
function stateBefore(opening: Opening, segments: readonly Segment[]): JournalState {
  const last = segments.at(-1);
  if (last !== undefined && existsSync(last.state)) {
    const state = JournalState.from(opening.files.read(last.state).toString(), last.first);
    if (state !== null) return state;
  }
  const state = new JournalState();
  for (const segment of segments.slice(0, -1)) {
    if (segment.first !== state.wseq + 1) throw damaged(segment.journal, 0, `wseq ${state.wseq + 1} is missing`);
    const bytes = opening.files.read(segment.journal);
    for (let at = 0; at < bytes.length; ) {
      const link = readLink(bytes, at, { writer: opening.writer, wseq: state.wseq, leaf: state.leaf });
      // A segment was on disk before the next one began, so nothing in it can be torn.
      if (link.kind !== 'link') throw damaged(segment.journal, at, link.kind === 'incomplete' ? 'cut short' : link.why);
      state.apply(link.entry, link.leaf);
      at = link.next;
    }
  }
  if (last !== undefined && last.first !== state.wseq + 1) {
    throw damaged(last.journal, 0, `wseq ${state.wseq + 1} is missing`);
  }
  return state;
}

interface Tail {
  readonly end: number;
  readonly journalBytes: number;
  readonly bodiesEnd: number;
  readonly bodiesBytes: number;
  readonly why: string;
}

/** Folds the last segment into `state` up to its first bad frame. */
function readTail(opening: Opening, segment: Segment, state: JournalState): Tail {
  const bytes = opening.files.read(segment.journal);
  const bodies = readBodies(opening.files, segment);
  let at = 0;
  let why = '';
  while (at < bytes.length) {
    const link = readLink(bytes, at, { writer: opening.writer, wseq: state.wseq, leaf: state.leaf });
    if (link.kind === 'broken') throw damaged(segment.journal, at, link.why);
    const seal = link.kind === 'link' ? link.entry.seal : null;
    // An entry whose body did not reach the disk is torn as well: the body was written before it.
    const lost = seal !== null && bodies.lengths.get(seal.digest) !== seal.bytes;
    if (link.kind === 'link' && !lost) {
      state.apply(link.entry, link.leaf);
      at = link.next;
      continue;
    }
    why = lost ? 'body missing' : link.kind === 'torn' ? link.why : 'cut short';
    if (syncedBehind(bytes, at, opening.writer) > state.wseq) {
      throw damaged(segment.journal, at, `${why}, in what was already on disk`);
    }
    break;
  }
  return { end: at, journalBytes: bytes.length, bodiesEnd: bodies.end, bodiesBytes: bodies.bytes, why };
}

function readBodies(
  files: JournalFiles,
  segment: Segment,
): { readonly lengths: Map<string, number>; readonly end: number; readonly bytes: number } {
  const lengths = new Map<string, number>();
  if (!existsSync(segment.bodies)) return { lengths, end: 0, bytes: 0 };
  const bytes = files.read(segment.bodies);
  let at = 0;
  for (let body = readBody(bytes, at); body.kind === 'body'; body = readBody(bytes, at)) {
    lengths.set(body.digest, body.bytes.length);
    at = body.next;
  }
  return { lengths, end: at, bytes: bytes.length };
}

/** Keeps what is behind `offset` in a file of its own, on disk before the original loses it. */
function cut(opening: Opening, path: string, offset: number, why: string): Cut {
  const rest = opening.files.read(path).subarray(offset);
  let aside = `${path}.cut-${offset}`;
  for (let again = 1; existsSync(aside); again++) aside = `${path}.cut-${offset}-${again}`;
  opening.files.replace(aside, rest);
  const fd = opening.files.openAppend(path);
  try {
    opening.files.truncate(fd, offset);
    opening.files.syncNow(fd);
  } finally {
    opening.files.close(fd);
  }
  return { file: basename(path), offset, bytes: rest.length, aside: basename(aside), why };
}

function syncSegment(files: JournalFiles, segment: Segment): void {
  for (const path of [segment.bodies, segment.journal]) {
    const fd = files.openAppend(path);
    try {
      files.syncNow(fd);
    } finally {
      files.close(fd);
    }
  }
  files.syncDirectory(dirname(segment.journal));
}

/** The data of the `recovery` entries: usually one; more when very many attempts are in doubt. */
export function recoveryData(report: RecoveryReport): { readonly [key: string]: RecordValue }[] {
  const parts = Math.max(1, Math.ceil(report.inDoubt.length / limits.recoveryAttemptsMax));
  return Array.from({ length: parts }, (_, part) => ({
    lastWseq: report.wseq,
    lastLeaf: report.leaf,
    inDoubt: report.inDoubt.slice(part * limits.recoveryAttemptsMax, (part + 1) * limits.recoveryAttemptsMax),
    cuts: part === 0 ? report.cuts : [],
    part: part + 1,
    of: parts,
  }));
}
