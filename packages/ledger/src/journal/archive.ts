import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry, Seal } from '@cordon/protocol';
import { bodyHeaderBytes, readBody, storedBytesMax } from '../body.ts';
import { parseEntry } from '../entry.ts';
import { ledgerError } from '../error.ts';
import { frameHeaderBytes, readFrame } from '../frame.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';
import { limits } from '../limits.ts';
import { type BodyKeys, noKeys, openBody } from '../seal/open.ts';
import { checkName, type Segment, segmentAt } from './segment.ts';
import { type JournalRecord, JournalTail, type Position, type TailOptions } from './tail.ts';

/** Random access to a tenant's journals and the bodies beside them. Reads only. */
export class JournalArchive {
  readonly #directory: string;
  readonly #bodies = new Map<string, BodyIndex>();

  readonly #keys: BodyKeys;

  /** Bodies that are sealed are opened with `keys`. */
  constructor(directory: string, keys: BodyKeys = noKeys) {
    this.#directory = directory;
    this.#keys = keys;
  }

  /** @throws CordonError `ledger-missing` `ledger-damaged` */
  entry(at: Position): { readonly entry: Entry; readonly bytes: Buffer; readonly leaf: string } {
    const bytes = readAt(this.#segment(at).journal, at.offset, frameHeaderBytes + limits.entryBytesMax);
    const frame = readFrame(bytes, 0);
    const entry = frame.kind === 'frame' ? parseEntry(frame.entry) : null;
    if (frame.kind !== 'frame' || entry === null || entry.writer !== at.writer) {
      throw ledgerError('ledger-damaged', `no entry at ${at.writer}/${at.segment}:${at.offset}`);
    }
    return { entry, bytes: frame.entry, leaf: toLeafText(hashLeaf(frame.entry)) };
  }

  /**
   * What an entry's seal names, checked against its digest and opened.
   *
   * @throws CordonError `ledger-missing` (also for a body whose key is gone) `ledger-damaged`
   */
  body(at: Position, entry: Entry): Buffer {
    const { seal } = entry;
    if (seal === null) throw ledgerError('ledger-missing', 'the entry has no body');
    const opened = openBody(entry, { kind: 'stored', bytes: this.#stored(at, seal) }, this.#keys);
    if (opened.kind === 'open') return opened.bytes;
    throw ledgerError(opened.kind === 'gone' ? 'ledger-missing' : 'ledger-damaged', opened.why);
  }

  #stored(at: Position, seal: Seal): Buffer {
    const segment = this.#segment(at);
    const key = `${at.writer}/${at.segment}`;
    const index = this.#bodies.get(key) ?? new BodyIndex(segment.bodies);
    // Last used last, so that the first is the one to drop.
    this.#bodies.delete(key);
    this.#bodies.set(key, index);
    const [oldest] = this.#bodies.keys();
    if (this.#bodies.size > limits.bodyIndexesMax && oldest !== undefined) this.#bodies.delete(oldest);
    const offset = index.find(seal.digest);
    if (offset === null) throw ledgerError('ledger-missing', `no body ${seal.digest} in ${segment.bodies}`);
    const body = readBody(readAt(segment.bodies, offset, bodyHeaderBytes + Math.min(seal.bytes, storedBytesMax)), 0);
    if (body.kind !== 'body' || body.digest !== seal.digest) {
      throw ledgerError('ledger-damaged', `the body ${seal.digest} in ${segment.bodies} is not what was sealed`);
    }
    return body.bytes;
  }

  #segment(at: Position): Segment {
    checkName('writer', at.writer);
    const segment = segmentAt(join(this.#directory, at.writer), at.segment);
    if (!existsSync(segment.journal)) throw ledgerError('ledger-missing', `no segment ${at.writer}/${at.segment}`);
    return segment;
  }
}

/** Digest → offset in one body file; grows with the file, by its headers only. */
class BodyIndex {
  readonly #path: string;
  readonly #offsets = new Map<string, number>();
  #end = 0;

  constructor(path: string) {
    this.#path = path;
  }

  find(digest: string): number | null {
    if (!this.#offsets.has(digest)) this.#readOn();
    return this.#offsets.get(digest) ?? null;
  }

  #readOn(): void {
    const chunkBytes = storedBytesMax + bodyHeaderBytes;
    for (;;) {
      const bytes = readAt(this.#path, this.#end, chunkBytes);
      let at = 0;
      while (bytes.length - at >= bodyHeaderBytes) {
        const length = bytes.readUInt32BE(at);
        if (length > storedBytesMax || at + bodyHeaderBytes + length > bytes.length) break;
        const digest = bytes.subarray(at + 4, at + bodyHeaderBytes).toString('hex');
        this.#offsets.set(`sha256:${digest}`, this.#end + at);
        at += bodyHeaderBytes + length;
      }
      if (at === 0) return;
      this.#end += at;
    }
  }
}

function readAt(path: string, offset: number, length: number): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(length);
    return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
  } finally {
    closeSync(fd);
  }
}

/**
 * All entries of a journal from one on, to its present end.
 *
 * @throws CordonError `ledger-damaged`
 */
export async function* readJournal(
  directory: string,
  writer: string,
  options: Pick<TailOptions, 'fromWseq'> = {},
): AsyncGenerator<JournalRecord, void, undefined> {
  using tail = new JournalTail({ directory, writer, ...options });
  for (;;) {
    const records = tail.read();
    yield* records;
    if (tail.problem !== null) {
      const { segment, offset, why } = tail.problem;
      throw ledgerError('ledger-damaged', `${writer}/${segment} at byte ${offset}: ${why}`);
    }
    if (records.length === 0) return;
  }
}
