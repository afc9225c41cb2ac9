import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from '@cordon/protocol';
import { bodyHeaderBytes, readBody } from '../body.ts';
import { parseEntry } from '../entry.ts';
import { readFrame } from '../frame.ts';
import { listSegments, type Segment } from '../journal/segment.ts';
import type { OpenedBody } from '../seal/open.ts';
import { failureAt } from './place.ts';
import type { Failure } from './report.ts';

/** One entry on its way through a part that needs bodies too. */
export interface Frame {
  readonly entry: Entry;
  readonly bytes: Buffer;
  failure(code: string, detail: string): Failure;
  /** As it lies on disk, checked against its digest. */
  stored(): { readonly kind: 'stored'; readonly bytes: Buffer } | Extract<OpenedBody, { kind: 'gone' }>;
}

/**
 * The sound entries of a writer in order, up to the first frame that is none: what is wrong with frames is said by the
 * part `entries`. `wanted` decides on the bytes alone, so that what nobody asks for is not parsed.
 */
export function* framesOf(
  directory: string,
  writer: string,
  wanted: (bytes: Buffer, number: number) => boolean,
): Generator<Frame, void, undefined> {
  let number = 0;
  for (const segment of listSegments(join(directory, writer))) {
    const bodies = new SegmentBodies(segment);
    const bytes = readFileSync(segment.journal);
    for (let offset = 0; offset < bytes.length; ) {
      const frame = readFrame(bytes, offset);
      if (frame.kind !== 'frame') return;
      const place = { writer, segment, offset };
      offset = frame.next;
      number += 1;
      if (!wanted(frame.entry, number)) continue;
      const entry = parseEntry(frame.entry);
      if (entry === null) continue;
      yield {
        entry,
        bytes: frame.entry,
        failure: (code, detail) => failureAt(place, code, detail, entry),
        stored: () => bodies.get(entry.seal?.digest ?? ''),
      };
    }
  }
}

const typeMark = Buffer.from('"type":"');
const quote = 0x22;

/** Whether the bytes may be an entry of one of these types, in one look: for `wanted` of {@link framesOf}. */
export function mayBe(bytes: Buffer, types: ReadonlySet<string>): boolean {
  // Any mention counts: which of them is the entry's own type only parsing can tell.
  for (let at = bytes.indexOf(typeMark); at >= 0; at = bytes.indexOf(typeMark, at + 1)) {
    const start = at + typeMark.length;
    if (types.has(bytes.toString('latin1', start, bytes.indexOf(quote, start)))) return true;
  }
  return false;
}

/** Read whole when first asked for; a segment is bounded. */
class SegmentBodies {
  readonly #path: string;
  #bytes: Buffer | null = null;
  readonly #offsets = new Map<string, number>();

  constructor(segment: Segment) {
    this.#path = segment.bodies;
  }

  get(digest: string): ReturnType<Frame['stored']> {
    const bytes = this.#bytes ?? this.#read();
    const offset = this.#offsets.get(digest);
    if (offset === undefined) return { kind: 'gone', why: 'its body is missing' };
    const body = readBody(bytes, offset);
    if (body.kind !== 'body') return { kind: 'gone', why: 'its body is damaged' };
    return { kind: 'stored', bytes: body.bytes };
  }

  #read(): Buffer {
    const bytes = existsSync(this.#path) ? readFileSync(this.#path) : Buffer.alloc(0);
    this.#bytes = bytes;
    // By headers alone; each body that is asked for is hashed then.
    for (let at = 0; at + bodyHeaderBytes <= bytes.length; at += bodyHeaderBytes + bytes.readUInt32BE(at)) {
      this.#offsets.set(`sha256:${bytes.subarray(at + 4, at + bodyHeaderBytes).toString('hex')}`, at);
    }
    return bytes;
  }
}
