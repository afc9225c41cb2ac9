import { closeSync, existsSync, fdatasync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from '@cordon/protocol';
import { frameHeaderBytes } from '../frame.ts';
import { limits } from '../limits.ts';
import { readLink } from './scan.ts';
import { listSegments, type Segment } from './segment.ts';

/** Where an entry lies; stays true for ever, since journals only grow. */
export interface Position {
  readonly writer: string;
  /** First wseq of the segment. */
  readonly segment: number;
  readonly offset: number;
}

export interface JournalRecord {
  readonly entry: Entry;
  /** The entry as it was hashed. */
  readonly bytes: Buffer;
  readonly leaf: string;
  readonly position: Position;
}

export interface TailProblem {
  readonly writer: string;
  readonly segment: number;
  readonly offset: number;
  readonly why: string;
}

export interface TailOptions {
  /** Folder of the tenant's journals. */
  readonly directory: string;
  readonly writer: string;
  /** First entry wanted; 1 = all. */
  readonly fromWseq?: number;
  /** Leaf of the entry before `fromWseq`, if the reader knows it: the journal must then still hold that very entry. */
  readonly leafBefore?: string | null;
}

/**
 * Follows a journal that another process may be writing. Only whole, sound frames come out, each once, in order;
 * an unfinished frame at the end means that the rest is still to come (or will be cut when its writer reopens).
 */
export class JournalTail implements Disposable {
  readonly #options: TailOptions;
  readonly #directory: string;
  readonly #fromWseq: number;
  #segment: Segment | null = null;
  #fd = -1;
  #offset = 0;
  #wseq = 0;
  #leaf: string | null = null;
  #problem: TailProblem | null = null;
  /** Segments read since the last {@link sync}. */
  #touched = new Set<Segment>();

  constructor(options: TailOptions) {
    this.#options = options;
    this.#directory = join(options.directory, options.writer);
    this.#fromWseq = options.fromWseq ?? 1;
  }

  /** What stops the reader before the end of the journal; null when it can go on. Looked at anew by every read. */
  get problem(): TailProblem | null {
    return this.#problem;
  }

  /** Entries that are new since the last call; empty when there are none. */
  read(bytesMax: number = limits.tailReadBytes): JournalRecord[] {
    this.#problem = null;
    const records: JournalRecord[] = [];
    for (let left = bytesMax; left > 0; ) {
      if (this.#segment === null && !this.#openFirst()) return records;
      // Looked for before the read: a segment is complete once its successor exists.
      const next = this.#nextSegment();
      const before = this.#offset;
      const rest = this.#readChunk(records);
      if (this.#problem !== null) return records;
      if (this.#offset > before) {
        // What stands before `fromWseq` costs nothing: an empty answer means that there is nothing new.
        if (records.length > 0) left -= this.#offset - before;
        continue;
      }
      if (next === null) {
        if (this.#wseq < this.#fromWseq - 1) this.#stop(`ends at wseq ${this.#wseq}, ${this.#fromWseq - 1} is known`);
        return records;
      }
      if (rest > 0) {
        this.#stop(`${rest} bytes behind the last entry, and a later segment`);
        return records;
      }
      this.#open(next);
    }
    return records;
  }

  /** Puts what was read on disk, bodies too, so that a power loss cannot take it back. */
  async sync(): Promise<void> {
    const touched = [...this.#touched];
    this.#touched = new Set();
    for (const segment of touched) {
      for (const path of [segment.bodies, segment.journal]) {
        if (existsSync(path)) await syncFile(path);
      }
    }
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#segment = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #openFirst(): boolean {
    const segments = listSegments(this.#directory);
    const segment = segments.findLast((candidate) => candidate.first <= this.#fromWseq) ?? segments[0];
    if (segment === undefined) {
      if (this.#fromWseq > 1) this.#problem = this.#problemAt(0, 0, 'the journal is gone');
      return false;
    }
    if (segment.first > this.#fromWseq) {
      this.#problem = this.#problemAt(segment.first, 0, `wseq ${this.#fromWseq} is missing`);
      return false;
    }
    this.#wseq = segment.first - 1;
    this.#leaf = segment.first === this.#fromWseq ? (this.#options.leafBefore ?? null) : null;
    this.#open(segment);
    return true;
  }

  #open(segment: Segment): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = openSync(segment.journal, 'r');
    this.#segment = segment;
    this.#offset = 0;
  }

  #nextSegment(): Segment | null {
    return listSegments(this.#directory).find((candidate) => candidate.first > (this.#segment?.first ?? 0)) ?? null;
  }

  /** Reads on from the offset and returns how many bytes were there that make no whole frame yet. */
  #readChunk(records: JournalRecord[]): number {
    const segment = this.#segment;
    if (segment === null) return 0;
    const size = fstatSync(this.#fd).size;
    if (size < this.#offset) {
      this.#stop(`${segment.journal} has become shorter`);
      return 0;
    }
    // Never kept from call to call: a torn end may be cut and written anew.
    const wanted = Math.min(
      size - this.#offset,
      Math.max(limits.tailReadBytes, limits.entryBytesMax + frameHeaderBytes),
    );
    const buffer = Buffer.allocUnsafeSlow(wanted);
    const bytes = buffer.subarray(0, readSync(this.#fd, buffer, 0, wanted, this.#offset));
    const base = this.#offset;
    for (let at = 0; ; ) {
      const link = readLink(bytes, at, { writer: this.#options.writer, wseq: this.#wseq, leaf: this.#leaf });
      if (link.kind === 'incomplete') return bytes.length - at;
      if (link.kind !== 'link') {
        this.#stop(link.why);
        return bytes.length - at;
      }
      const known = link.entry.wseq === this.#fromWseq - 1 ? (this.#options.leafBefore ?? link.leaf) : link.leaf;
      if (known !== link.leaf) {
        this.#stop(`wseq ${link.entry.wseq} is not the entry that is known`);
        return bytes.length - at;
      }
      if (link.entry.wseq >= this.#fromWseq) {
        const position = { writer: this.#options.writer, segment: segment.first, offset: base + at };
        records.push({ entry: link.entry, bytes: link.bytes, leaf: link.leaf, position });
        this.#touched.add(segment);
      }
      this.#wseq = link.entry.wseq;
      this.#leaf = link.leaf;
      at = link.next;
      this.#offset = base + at;
    }
  }

  #stop(why: string): void {
    if (this.#segment !== null) this.#problem = this.#problemAt(this.#segment.first, this.#offset, why);
  }

  #problemAt(segment: number, offset: number, why: string): TailProblem {
    return { writer: this.#options.writer, segment, offset, why };
  }
}

function syncFile(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  return new Promise((resolve, reject) => {
    fdatasync(fd, (error) => {
      closeSync(fd);
      if (error === null) resolve();
      else reject(error);
    });
  });
}
