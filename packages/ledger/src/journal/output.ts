import { dirname } from 'node:path';
import { ledgerError } from '../error.ts';
import { limits } from '../limits.ts';
import type { JournalFiles } from './files.ts';
import { type Segment, segmentAt } from './segment.ts';
import type { JournalState } from './state.ts';

/**
 * The open segment: the two files that are written, and what is known about them being on disk.
 * Throws whatever a system call throws; the journal turns every such error into its failure.
 */
export class JournalOutput {
  readonly #files: JournalFiles;
  readonly #directory: string;
  #journal = -1;
  #bodies = -1;
  #journalBytes: number;
  #bodiesBytes: number;
  #bodiesDirty = false;
  #syncing = false;
  #retired: number[] = [];
  readonly #digests = new Set<string>();

  constructor(files: JournalFiles, segment: Segment, sizes: { journal: number; bodies: number }) {
    this.#files = files;
    this.#directory = dirname(segment.journal);
    this.#journalBytes = sizes.journal;
    this.#bodiesBytes = sizes.bodies;
    this.#open(segment);
  }

  /** Size of the larger file, to decide on rotation. */
  get bytes(): number {
    return Math.max(this.#journalBytes, this.#bodiesBytes);
  }

  /** Whether the body is new in this segment and must be written; remembers it. */
  needsBody(digest: string): boolean {
    if (this.#digests.has(digest)) return false;
    if (this.#digests.size >= limits.bodyDigestsMax) this.#digests.clear();
    this.#digests.add(digest);
    return true;
  }

  /** Bodies first: an entry never names a body that was not written before it. */
  write(bodies: readonly Uint8Array[], frames: readonly Uint8Array[]): void {
    if (bodies.length > 0) {
      this.#bodiesDirty = true;
      this.#bodiesBytes += this.#writeAll(this.#bodies, bodies);
    }
    this.#journalBytes += this.#writeAll(this.#journal, frames);
  }

  /** Both files at once; the promise settles when both are on disk. Only one at a time. */
  async sync(): Promise<void> {
    const bodies = this.#bodiesDirty;
    this.#bodiesDirty = false;
    this.#syncing = true;
    try {
      const both = [this.#files.sync(this.#journal)];
      if (bodies) both.push(this.#files.sync(this.#bodies));
      const results = await Promise.allSettled(both);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    } finally {
      this.#syncing = false;
      this.#closeRetired();
    }
  }

  /**
   * Ends the segment and starts the next. Blocks for one sync: recovery relies on a segment being whole and on disk
   * before the next one exists.
   */
  rotate(state: JournalState): void {
    this.#files.syncNow(this.#bodies);
    this.#files.syncNow(this.#journal);
    state.forgetClosed();
    const segment = segmentAt(this.#directory, state.wseq + 1);
    this.#files.replace(segment.state, state.toText());
    this.#retire();
    this.#open(segment);
    this.#journalBytes = 0;
    this.#bodiesBytes = 0;
    this.#bodiesDirty = false;
    this.#digests.clear();
    if (!this.#syncing) this.#closeRetired();
  }

  close(): void {
    this.#retire();
    this.#closeRetired();
  }

  #open(segment: Segment): void {
    try {
      this.#bodies = this.#files.openAppend(segment.bodies);
      this.#journal = this.#files.openAppend(segment.journal);
      this.#files.syncDirectory(this.#directory);
    } catch (error) {
      this.#retire();
      if (!this.#syncing) this.#closeRetired();
      throw error;
    }
  }

  #retire(): void {
    this.#retired.push(...[this.#journal, this.#bodies].filter((fd) => fd >= 0));
    this.#journal = -1;
    this.#bodies = -1;
  }

  #writeAll(fd: number, buffers: readonly Uint8Array[]): number {
    const wanted = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const written = this.#files.write(fd, buffers);
    if (written !== wanted) throw ledgerError('ledger-down', `only ${written} of ${wanted} bytes were written`);
    return written;
  }

  /** A descriptor that a sync still uses must not be closed: its number could already mean another file. */
  #closeRetired(): void {
    const retired = this.#retired;
    this.#retired = [];
    for (const fd of retired) this.#files.close(fd);
  }
}
