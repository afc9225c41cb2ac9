import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Entry } from '@cordon/protocol';
import { readBody } from '../body.ts';
import { isCanonical, parseEntry } from '../entry.ts';
import { readFrame } from '../frame.ts';
import { listSegments, listWriters, type Segment } from '../journal/segment.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';
import type { Completeness } from './complete.ts';
import { failureAt, type Place } from './place.ts';
import type { Findings } from './report.ts';

/**
 * Reads every frame and body of every writer from the bytes alone: no index, no state file, no lock.
 * What a frame means to the others goes to `complete`.
 */
export function verifyJournals(directory: string, entries: Findings, complete: Completeness): void {
  for (const writer of listWriters(directory)) {
    entries.count('writers');
    const segments = listSegments(join(directory, writer));
    complete.begin(writer);
    for (const segment of segments) {
      verifySegment(writer, segment, segment === segments.at(-1), entries, complete);
    }
    complete.end();
    for (const name of readdirSync(join(directory, writer))) {
      if (name.includes('.cut-')) entries.note(`${writer}/${name}: kept aside by a recovery`);
    }
  }
  complete.finish();
}

function verifySegment(
  writer: string,
  segment: Segment,
  last: boolean,
  entries: Findings,
  complete: Completeness,
): void {
  entries.count('segments');
  const bodies = verifyBodies(writer, segment, last, entries);
  const bytes = readFileSync(segment.journal);
  complete.beginSegment({ writer, segment, offset: 0 });
  for (let offset = 0; offset < bytes.length; ) {
    const place = { writer, segment, offset };
    const frame = readFrame(bytes, offset);
    if (frame.kind !== 'frame') {
      if (frame.kind === 'incomplete' && last) {
        entries.note(`${writer}/${basename(segment.journal)}:${offset}: the last frame is not finished`);
      } else {
        entries.fail(failureAt(place, 'frame', frame.kind === 'bad' ? frame.why : 'cut short'));
      }
      return;
    }
    offset = frame.next;
    entries.count('entries');
    const entry = parseEntry(frame.entry);
    if (entry === null) {
      entries.fail(failureAt(place, 'entry', 'the frame holds no entry'));
      continue;
    }
    verifyEntry(place, entry, frame, bodies, entries);
    complete.add(place, entry, toLeafText(hashLeaf(frame.entry)));
  }
}

function verifyEntry(
  place: Place,
  entry: Entry,
  frame: { readonly entry: Buffer; readonly synced: number },
  bodies: ReadonlyMap<string, number>,
  entries: Findings,
): void {
  const fail = (code: string, detail: string): void => entries.fail(failureAt(place, code, detail, entry));
  if (!isCanonical(entry, frame.entry)) fail('canonical', 'the entry is not in its one canonical form');
  if (entry.writer !== place.writer) fail('writer', `an entry of writer ${entry.writer}`);
  if (entry.tenant !== basename(dirname(dirname(place.segment.journal)))) fail('tenant', `an entry of ${entry.tenant}`);
  if (frame.synced >= entry.wseq) fail('synced', `says that ${frame.synced} was on disk`);
  if (entry.seal === null) return;
  entries.count('seals');
  const length = bodies.get(entry.seal.digest);
  if (length === undefined) fail('body', `the body ${entry.seal.digest} is missing`);
  else if (length !== entry.seal.bytes) fail('body', `a body of ${length} bytes, sealed as ${entry.seal.bytes}`);
}

/** Digest → length of every sound body of the segment. */
function verifyBodies(writer: string, segment: Segment, last: boolean, entries: Findings): Map<string, number> {
  const lengths = new Map<string, number>();
  if (!existsSync(segment.bodies)) return lengths;
  const bytes = readFileSync(segment.bodies);
  let offset = 0;
  while (offset < bytes.length) {
    const body = readBody(bytes, offset);
    if (body.kind !== 'body') {
      const where = `${writer}/${basename(segment.bodies)}:${offset}`;
      if (body.kind === 'incomplete' && last) entries.note(`${where}: the last body is not finished`);
      else
        entries.fail({
          code: 'body-frame',
          where,
          detail: body.kind === 'bad' ? body.why : 'cut short',
          writer,
          offset,
        });
      break;
    }
    entries.count('bodies');
    lengths.set(body.digest, body.bytes.length);
    offset = body.next;
  }
  return lengths;
}

/** The entries of a writer as bytes, in order, up to the first frame that is none; for comparing with the tree. */
export function* entryBytes(directory: string, writer: string): Generator<Buffer, void, undefined> {
  for (const segment of listSegments(join(directory, writer))) {
    const bytes = readFileSync(segment.journal);
    for (let offset = 0; offset < bytes.length; ) {
      const frame = readFrame(bytes, offset);
      if (frame.kind !== 'frame') break;
      yield frame.entry;
      offset = frame.next;
    }
  }
}
