import { join } from 'node:path';
import { type CordonError, type DurabilityTier, isCordonError, type Recorded, timestamp } from '@cordon/protocol';
import { encodeBodyHeader } from '../body.ts';
import { textOf } from '../entry.ts';
import { type LedgerErrorCode, ledgerError } from '../error.ts';
import { encodeFrame } from '../frame.ts';
import { limits } from '../limits.ts';
import { type Lock, openLock } from '../lock.ts';
import { prepareDrafts } from './draft.ts';
import { nodeFiles } from './files.ts';
import type { EntryDraft, Head, Journal, JournalOptions } from './journal.ts';
import { JournalOutput } from './output.ts';
import { type RecoveryReport, recoverJournal, recoveryData } from './recovery.ts';
import { checkName, segmentAt } from './segment.ts';
import type { JournalState, SessionPast } from './state.ts';

/**
 * Takes the writer's lock, recovers what an earlier process left, says so in a `recovery` entry, and is ready.
 *
 * @throws CordonError `ledger-locked` `ledger-damaged` `ledger-down` `ledger-option`
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  checkName('tenant', options.tenant);
  checkName('writer', options.writer);
  const files = options.files ?? nodeFiles;
  const directory = join(options.directory, options.writer);
  let lock: Lock | undefined;
  let writer: JournalWriter | undefined;
  try {
    files.makeDirectory(directory);
    lock = openLock(join(directory, 'lock'));
    const recovered = recoverJournal({ files, directory, writer: options.writer });
    if (recovered.state.wseq < (options.atLeast ?? 0)) {
      const missing = `${directory} ends at wseq ${recovered.state.wseq}, the tree holds ${options.atLeast}`;
      throw ledgerError('ledger-damaged', missing);
    }
    const sizes = { journal: recovered.journalBytes, bodies: recovered.bodiesBytes };
    const output = new JournalOutput(files, recovered.last ?? segmentAt(directory, 1), sizes);
    writer = new JournalWriter(options, recovered.state, output, lock, recovered.report);
    if (recovered.report !== null) {
      const drafts = recoveryData(recovered.report).map((data) => ({ session: null, type: 'recovery' as const, data }));
      await writer.appendTogether(drafts, 'disk');
    }
    return writer;
  } catch (error) {
    if (writer === undefined) lock?.release();
    else await writer.close();
    throw isCordonError(error) ? error : ledgerError('ledger-down', `${directory} cannot be opened`, error);
  }
}

interface Waiting {
  readonly recorded: readonly Recorded[];
  readonly tier: DurabilityTier;
  readonly resolve: (recorded: readonly Recorded[]) => void;
  readonly reject: (error: Error) => void;
}

/** Settles when the disk holds everything up to `wseq`. */
interface Syncing extends Waiting {
  readonly wseq: number;
}

class JournalWriter implements Journal {
  readonly writer: string;
  readonly tenant: string;
  readonly recovery: RecoveryReport | null;
  readonly #options: JournalOptions;
  readonly #segmentBytes: number;
  readonly #state: JournalState;
  readonly #output: JournalOutput;
  readonly #lock: Lock;
  readonly #listeners: Array<(error: CordonError<LedgerErrorCode>) => void> = [];
  #failure: CordonError<LedgerErrorCode> | null = null;
  #frames: Buffer[] = [];
  #bodies: Uint8Array[] = [];
  #writing: Waiting[] = [];
  #syncing: Syncing[] = [];
  #queued = 0;
  #pendingBytes = 0;
  #head: Head;
  #written: number;
  #synced: number;
  #sync: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #closed = false;

  constructor(
    options: JournalOptions,
    state: JournalState,
    output: JournalOutput,
    lock: Lock,
    recovery: RecoveryReport | null,
  ) {
    this.#options = options;
    this.writer = options.writer;
    this.tenant = options.tenant;
    this.recovery = recovery;
    this.#segmentBytes = options.segmentBytes ?? limits.segmentBytes;
    this.#state = state;
    this.#output = output;
    this.#lock = lock;
    // Recovery has synced everything that it kept.
    this.#head = { wseq: state.wseq, leaf: state.leaf };
    this.#written = state.wseq;
    this.#synced = state.wseq;
  }

  get head(): Head {
    return this.#head;
  }

  get failure(): CordonError<LedgerErrorCode> | null {
    return this.#failure;
  }

  past(session: string): SessionPast {
    return this.#state.past(session);
  }

  closeSession(session: string): void {
    this.#state.closeSession(session);
  }

  onFailure(listener: (error: CordonError<LedgerErrorCode>) => void): void {
    this.#listeners.push(listener);
  }

  async append(draft: EntryDraft, tier: DurabilityTier): Promise<Recorded> {
    const [recorded] = await this.appendTogether([draft], tier);
    return recorded as Recorded;
  }

  appendTogether(drafts: readonly EntryDraft[], tier: DurabilityTier): Promise<readonly Recorded[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) throw this.#failure;
      if (drafts.length === 0) throw ledgerError('ledger-option', 'nothing to append');
      if (this.#queued + drafts.length > limits.queueEntriesMax) {
        throw ledgerError('ledger-full', `${this.#queued} entries wait to be recorded`);
      }
      if (this.#output.bytes + this.#pendingBytes >= this.#segmentBytes) this.#rotate();
      const recorded = this.#enqueue(drafts, tier);
      if (this.#writing.length === 0) setImmediate(() => this.#write());
      this.#writing.push({ recorded, tier, resolve, reject });
      this.#queued += recorded.length;
    });
  }

  async sync(): Promise<void> {
    this.#write();
    if (this.#failure !== null) throw this.#failure;
    const wseq = this.#written;
    if (this.#synced >= wseq) return;
    await new Promise<void>((resolve, reject) => {
      this.#syncing.push({ recorded: [], tier: 'disk', wseq, resolve: () => resolve(), reject });
      this.#startSync();
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    try {
      if (this.#failure === null) await this.sync();
    } finally {
      if (this.#failure === null)
        this.#fail(ledgerError('ledger-down', `the journal of ${this.writer} is closed`), false);
      await this.#sync;
      this.#closed = true;
      try {
        this.#output.close();
      } finally {
        this.#lock.release();
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Gives the drafts their places. Either all get one, or none does and nothing has changed. */
  #enqueue(drafts: readonly EntryDraft[], tier: DurabilityTier): Recorded[] {
    const { writer, tenant } = this;
    const at = timestamp(this.#options.clock);
    const sealing = this.#options.sealing ?? null;
    return prepareDrafts(drafts, { writer, tenant, at, state: this.#state, sealing }).map(
      ({ entry, text, leaf, body }) => {
        if (body !== null && this.#output.needsBody(body.seal.digest)) {
          this.#bodies.push(encodeBodyHeader(body.hash, body.bytes.length), body.bytes);
          this.#pendingBytes += body.bytes.length;
        }
        const frame = encodeFrame(text, this.#synced);
        this.#frames.push(frame);
        this.#pendingBytes += frame.length;
        this.#state.apply(entry, leaf);
        const decision = entry.type === 'decision' ? textOf(entry, 'decision') : null;
        // The one place that makes a Recorded; it leaves this file only when the write, or the sync, has returned.
        return { writer, wseq: entry.wseq, tier, leaf, decision } as Recorded;
      },
    );
  }

  /** One write for everything that was appended in this turn of the event loop. */
  #write(): void {
    const frames = this.#frames;
    if (frames.length === 0 || this.#failure !== null) return;
    const bodies = this.#bodies;
    const waiting = this.#writing;
    this.#frames = [];
    this.#bodies = [];
    try {
      this.#output.write(bodies, frames);
    } catch (error) {
      this.#fail(ledgerError('ledger-down', `the journal of ${this.writer} cannot be written`, error));
      return;
    }
    this.#writing = [];
    this.#pendingBytes = 0;
    this.#written = this.#state.wseq;
    this.#head = { wseq: this.#state.wseq, leaf: this.#state.leaf };
    let urgent = false;
    for (const one of waiting) {
      if (one.tier === 'disk') {
        urgent = true;
        this.#syncing.push({ ...one, wseq: this.#written });
      } else {
        this.#queued -= one.recorded.length;
        one.resolve(one.recorded);
      }
    }
    if (urgent) this.#startSync();
    else this.#timer ??= setTimeout(() => this.#startSync(), limits.groupSyncMs).unref();
  }

  #rotate(): void {
    this.#write();
    if (this.#failure !== null) throw this.#failure;
    try {
      this.#output.rotate(this.#state);
    } catch (error) {
      this.#fail(ledgerError('ledger-down', `the journal of ${this.writer} cannot start a segment`, error));
      throw this.#failure ?? error;
    }
    this.#settleSynced(this.#written);
  }

  #startSync(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sync !== null || this.#failure !== null || this.#synced >= this.#written) return;
    this.#sync = this.#syncOnce();
  }

  async #syncOnce(): Promise<void> {
    const upTo = this.#written;
    try {
      await this.#output.sync();
      this.#settleSynced(upTo);
    } catch (error) {
      // After a failed fsync the kernel may have dropped the pages: only a new reading of the file can tell.
      this.#fail(ledgerError('ledger-down', `the journal of ${this.writer} cannot be synced`, error));
    }
    this.#sync = null;
    if (this.#syncing.length > 0) this.#startSync();
    else if (this.#synced < this.#written)
      this.#timer ??= setTimeout(() => this.#startSync(), limits.groupSyncMs).unref();
  }

  #settleSynced(upTo: number): void {
    this.#synced = Math.max(this.#synced, upTo);
    const ready = this.#syncing.filter((one) => one.wseq <= this.#synced);
    this.#syncing = this.#syncing.filter((one) => one.wseq > this.#synced);
    for (const one of ready) {
      this.#queued -= one.recorded.length;
      one.resolve(one.recorded);
    }
  }

  #fail(error: CordonError<LedgerErrorCode>, tell = true): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const refused = [...this.#writing, ...this.#syncing];
    this.#writing = [];
    this.#syncing = [];
    for (const one of refused) one.reject(error);
    if (tell) for (const listener of this.#listeners) listener(error);
  }
}
