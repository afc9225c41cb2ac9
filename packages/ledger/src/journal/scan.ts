import type { Entry } from '@cordon/protocol';
import { parseEntry } from '../entry.ts';
import { readFrame } from '../frame.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';

/** The next frame of a chain, checked against what must come before it. */
interface ChainLink {
  readonly kind: 'link';
  readonly entry: Entry;
  readonly bytes: Buffer;
  readonly leaf: string;
  readonly synced: number;
  readonly next: number;
}

export type ChainReading =
  | ChainLink
  | { readonly kind: 'incomplete' }
  /** `torn`: these bytes are no frame. `broken`: a sound frame in the wrong place, which no power loss makes. */
  | { readonly kind: 'torn' | 'broken'; readonly why: string };

export interface ChainHead {
  readonly writer: string;
  readonly wseq: number;
  /** Null when the reader does not know what comes before. */
  readonly leaf: string | null;
}

/** Reads the frame at `offset` and checks that it continues `head`: writer, wseq without a gap, `prev`. */
export function readLink(bytes: Buffer, offset: number, head: ChainHead): ChainReading {
  const frame = readFrame(bytes, offset);
  if (frame.kind === 'incomplete') return frame;
  if (frame.kind === 'bad') return { kind: 'torn', why: frame.why };
  const entry = parseEntry(frame.entry);
  if (entry === null) return { kind: 'broken', why: 'no entry' };
  if (entry.writer !== head.writer) return { kind: 'broken', why: `an entry of writer ${entry.writer}` };
  if (entry.wseq !== head.wseq + 1) return { kind: 'broken', why: `wseq ${entry.wseq} after ${head.wseq}` };
  if (head.leaf !== null && entry.prev !== head.leaf) return { kind: 'broken', why: `wseq ${entry.wseq}: prev` };
  if (frame.synced >= entry.wseq) return { kind: 'broken', why: `wseq ${entry.wseq}: synced mark` };
  const leaf = toLeafText(hashLeaf(frame.entry));
  return { kind: 'link', entry, bytes: frame.entry, leaf, synced: frame.synced, next: frame.next };
}

/** The highest synced mark of any sound frame of `writer` behind `offset`; 0 when there is none. */
export function syncedBehind(bytes: Buffer, offset: number, writer: string): number {
  let synced = 0;
  // A frame starts with two zero bytes and nothing inside an entry does, so few offsets need a second look.
  for (let at = bytes.indexOf(0, offset); at >= 0 && at < bytes.length - 4; at = bytes.indexOf(0, at + 1)) {
    if (bytes[at + 1] !== 0) continue;
    const frame = readFrame(bytes, at);
    if (frame.kind === 'frame' && parseEntry(frame.entry)?.writer === writer) synced = Math.max(synced, frame.synced);
  }
  return synced;
}
