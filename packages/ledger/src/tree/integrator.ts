import { existsSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type CordonError, type LedgerProof, type RecordValue, timestamp } from '@cordon/protocol';
import { entryText } from '../entry.ts';
import { type LedgerErrorCode, ledgerError } from '../error.ts';
import { listWriters } from '../journal/segment.ts';
import { type JournalRecord, JournalTail, type TailProblem } from '../journal/tail.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';
import { limits } from '../limits.ts';
import { type Lock, openLock } from '../lock.ts';
import { type Checkpoint, encodeCheckpoint, isSignedTwice, openCheckpoint } from './checkpoint.ts';
import { TreeEdge } from './edge.ts';
import { appendDurably, partialsOf, readIfThere, removePartials, replaceDurably, writeDurably } from './files.ts';
import { checkKeptHead, readKeptHead } from './kept-head.ts';
import { proveConsistency, proveInclusion, rootOf } from './merkle.ts';
import { type CheckpointSigner, type NoteVerifier, parseVerifierKey, splitNote } from './note.ts';
import { encodePositions, type Positions, parsePositions, positionsFrom, positionsPath } from './positions.ts';
import { TileReader } from './reader.ts';
import { encodeReceipt } from './receipt.ts';
import { encodeBundle, levelSize, tilePath, tileWidth } from './tile.ts';
import type { IntegratedRecord, Integration, LedgerTree, TreeEntry, TreeHead } from './tree.ts';

export interface TreeOptions {
  /** Folder of the tenant's tree. */
  readonly directory: string;
  /** Folder of the tenant's journals. */
  readonly journals: string;
  readonly signer: CheckpointSigner;
  readonly clock: Pick<Clock, 'now'>;
  /** Where a copy of each signed head is kept, beside the key and not in the tree's folder; null = nowhere. */
  readonly headFile?: string | null;
}

/**
 * Opens the tree, or starts an empty one, and checks that its checkpoint is signed by this key and describes its tiles,
 * and that nothing is missing that the head in `headFile` signed. A head from before the log had a second key is signed
 * with that one as well, unless `headFile` shows that it was once: then the signature was taken away.
 *
 * @throws CordonError `ledger-locked` `ledger-damaged` `ledger-note` `ledger-downgrade`
 */
export async function openTree(options: TreeOptions): Promise<LedgerTree> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const lock = openLock(join(options.directory, 'lock'));
  try {
    const checkpoint = join(options.directory, 'checkpoint');
    const { headFile = null } = options;
    const kept = headFile === null ? null : readKeptHead(headFile, options.signer.verifierKey);
    if (!existsSync(checkpoint)) {
      if (kept !== null && kept.size > 0) {
        throw ledgerError('ledger-damaged', `${options.directory} has no checkpoint, ${kept.size} entries were signed`);
      }
      // The empty head is signed before the first tile is written, so tiles without a head mean that it was taken away.
      if (existsSync(join(options.directory, 'tile'))) {
        throw ledgerError('ledger-damaged', `${options.directory} has tiles but no checkpoint`);
      }
      const empty = { origin: options.signer.name, size: 0, root: new TreeEdge().root() };
      await replaceDurably(checkpoint, options.signer.sign(encodeCheckpoint(empty)));
    }
    const tree = new TreeIntegrator(options, lock, kept?.signedTwice === true ? 'newest' : 'older');
    if (kept !== null) tree.checkKept(kept);
    await tree.signTwice();
    return tree;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** What is committed: everything here belongs to the checkpoint in `head`. */
interface Committed {
  readonly head: TreeHead;
  readonly edge: TreeEdge;
  readonly bundle: Buffer[];
  readonly positions: Positions;
}

class TreeIntegrator implements LedgerTree {
  readonly #options: TreeOptions;
  readonly #lock: Lock;
  readonly #reader: TileReader;
  readonly #verifier: NoteVerifier;
  readonly #tails = new Map<string, JournalTail>();
  #committed: Committed;
  #queue: Promise<unknown> = Promise.resolve();
  #cosigned: LedgerTree['cosigned'];
  #keptAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #closed = false;

  constructor(options: TreeOptions, lock: Lock, age: 'newest' | 'older') {
    this.#options = options;
    this.#lock = lock;
    this.#reader = new TileReader(options.directory);
    this.#verifier = parseVerifierKey(options.signer.verifierKey);
    this.#committed = this.#load(age);
    this.#cosigned = this.#loadCosigned();
  }

  get origin(): string {
    return this.#options.signer.name;
  }

  get head(): TreeHead {
    return this.#committed.head;
  }

  /** @throws CordonError `ledger-damaged` */
  checkKept(kept: Checkpoint): void {
    const { size } = this.head;
    checkKeptHead(kept, size, this.#reader.hashAt(size));
  }

  /** The heads that are in use get the second signature that they are from before. */
  async signTwice(): Promise<void> {
    const { directory, signer, headFile = null } = this.#options;
    if (this.#verifier.second === null) return;
    const { head } = this.#committed;
    if (!isSignedTwice(head.checkpoint, this.#verifier)) {
      const checkpoint = signer.sign(splitNote(head.checkpoint).text);
      await replaceDurably(join(directory, 'checkpoint'), checkpoint);
      if (headFile !== null) await replaceDurably(headFile, checkpoint);
      this.#committed = { ...this.#committed, head: { ...head, checkpoint } };
    }
    const cosigned = this.#cosigned?.note ?? null;
    if (cosigned === null || isSignedTwice(cosigned, this.#verifier)) return;
    const { size, root } = openCheckpoint(cosigned, this.#verifier, 'older');
    // What witnesses saw is signed again only if it is what the tree holds.
    if (!rootOf(size, this.#reader.hashAt(head.size)).equals(root)) return;
    const { text, lines } = splitNote(cosigned);
    const others = lines.filter((line) => !line.startsWith(`— ${signer.name} `)).map((line) => `${line}\n`);
    await this.keepCosigned(signer.sign(text) + others.join(''));
  }

  integrate(): Promise<Integration> {
    const next = this.#queue.then(() => this.#integrate());
    this.#queue = next.catch(() => undefined);
    return next;
  }

  integratedWseq(writer: string): number {
    return this.#committed.positions.get(writer)?.wseq ?? 0;
  }

  entries(from: number, count: number): TreeEntry[] {
    const { size } = this.head;
    const to = Math.min(size, from + Math.min(count, limits.entriesReadMax));
    if (from < 0 || !Number.isSafeInteger(from)) throw missing(from, size);
    return Array.from(this.#reader.entries(from, to, size), ({ index, entry, bytes }) => ({
      index,
      entry,
      leaf: toLeafText(hashLeaf(bytes)),
    }));
  }

  prove(index: number, under?: number): LedgerProof {
    const [found] = this.entries(index, 1);
    if (found === undefined) throw missing(index, this.head.size);
    const { size, checkpoint } = under === undefined ? this.#headFor(index) : this.#headOf(under);
    if (index >= size) throw missing(index, size);
    const path = proveInclusion(index, size, this.#reader.hashAt(this.head.size));
    const bytes = Buffer.from(entryText(found.entry));
    return {
      index,
      leaf: found.leaf,
      entry: { ...(found.entry as unknown as { [key: string]: RecordValue }) },
      path: path.map((step) => step.toString('hex')),
      checkpoint,
      publicKey: this.#options.signer.verifierKey,
      receipt: encodeReceipt({ entry: bytes, index, path, checkpoint }),
    };
  }

  /** A head that others saw proves more than a newer one that nobody saw. */
  #headFor(index: number): { readonly size: number; readonly checkpoint: string } {
    const seen = this.#cosigned;
    return seen !== null && index < seen.size ? { size: seen.size, checkpoint: seen.note } : this.head;
  }

  /** What the tree was at that size is what it still holds, so that signing it again says nothing new. */
  #headOf(size: number): { readonly size: number; readonly checkpoint: string } {
    if (size > this.head.size) throw missing(size, this.head.size);
    const root = rootOf(size, this.#reader.hashAt(this.head.size));
    return { size, checkpoint: this.#options.signer.sign(encodeCheckpoint({ origin: this.origin, size, root })) };
  }

  get cosigned(): LedgerTree['cosigned'] {
    return this.#cosigned;
  }

  async keepCosigned(note: string): Promise<void> {
    const { directory } = this.#options;
    const { size } = openCheckpoint(note, this.#verifier);
    if (size > this.head.size) throw missing(size, this.head.size);
    await replaceDurably(join(directory, 'cosigned'), note);
    this.#cosigned = { note, size };
  }

  proveConsistency(olderSize: number, newerSize: number = this.head.size): string[] {
    const { size } = this.head;
    for (const [one, most] of [
      [newerSize, size],
      [olderSize, newerSize],
    ] as const) {
      if (!Number.isSafeInteger(one) || one < 0 || one > most) throw missing(one, most);
    }
    return proveConsistency(olderSize, newerSize, this.#reader.hashAt(size)).map((step) => step.toString('hex'));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue;
    for (const tail of this.#tails.values()) tail.close();
    this.#lock.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #integrate(): Promise<Integration> {
    if (this.#closed) throw ledgerError('ledger-down', 'the tree is closed');
    // What a failed try left in memory is not what the disk holds: begin again from the committed state.
    if (this.#failed) this.#reset();
    this.#failed = true;
    const taken = this.#readJournals();
    if (taken.records.length > 0) {
      await Promise.all([...this.#tails.values()].map((tail) => tail.sync()));
      await this.#commit(taken.records);
    }
    this.#failed = false;
    const first = this.head.size - taken.records.length;
    const records: IntegratedRecord[] = taken.records.map((record, i) => ({ ...record, index: first + i }));
    return { records, size: this.head.size, more: taken.more, problems: taken.problems };
  }

  #readJournals(): { records: JournalRecord[]; more: boolean; problems: TailProblem[] } {
    const { journals } = this.#options;
    const { positions } = this.#committed;
    const records: JournalRecord[] = [];
    const problems: TailProblem[] = [];
    let left: number = limits.integrationBytesMax;
    // A writer whose folder is gone still counts: what the tree holds of it must not just vanish.
    const writers = new Set([...positions.keys(), ...listWriters(journals)]);
    for (const writer of writers) {
      if (left <= 0) return { records, more: true, problems };
      const tail = this.#tails.get(writer) ?? this.#openTail(writer);
      const read = tail.read(left);
      for (const record of read) {
        records.push(record);
        left -= record.bytes.length;
      }
      if (tail.problem !== null) problems.push(tail.problem);
    }
    return { records, more: left <= 0, problems };
  }

  #openTail(writer: string): JournalTail {
    const position = this.#committed.positions.get(writer);
    const tail = new JournalTail({
      directory: this.#options.journals,
      writer,
      fromWseq: (position?.wseq ?? 0) + 1,
      leafBefore: position?.leaf ?? null,
    });
    this.#tails.set(writer, tail);
    return tail;
  }

  async #commit(records: readonly JournalRecord[]): Promise<void> {
    const { directory, signer, clock } = this.#options;
    const before = this.#committed;
    const { edge } = before;
    const positions: Positions = new Map(before.positions);
    const files = new Map<string, Uint8Array>();
    let bundle = before.bundle;
    for (const record of records) {
      bundle.push(record.bytes);
      if (bundle.length === tileWidth) {
        const index = Math.floor(edge.size / tileWidth);
        files.set(tilePath({ level: 'entries', index, width: tileWidth }), encodeBundle(bundle));
        bundle = [];
      }
      edge.push(hashLeaf(record.bytes), (level, index, hashes) => {
        files.set(tilePath({ level, index, width: tileWidth }), Buffer.concat(hashes));
      });
      positions.set(record.entry.writer, { wseq: record.entry.wseq, leaf: record.leaf });
    }
    // INVARIANT: no file of the committed head is written again: on a disk that is full it would come out empty.
    const committed = new Set(partialsOf(before.head.size).map(tilePath));
    for (const tile of partialsOf(edge.size)) {
      if (committed.has(tilePath(tile))) continue;
      const row = tile.level === 'entries' ? encodeBundle(bundle) : Buffer.concat(edge.levels[tile.level] ?? []);
      files.set(tilePath(tile), row);
    }
    files.set(positionsPath(edge.size), encodePositions(positions));
    await writeDurably(directory, files);
    const checkpoint = signer.sign(encodeCheckpoint({ origin: signer.name, size: edge.size, root: edge.root() }));
    await replaceDurably(join(directory, 'checkpoint'), checkpoint);
    const head = { size: edge.size, root: toLeafText(edge.root()), at: timestamp(clock), checkpoint };
    this.#committed = { head, edge, bundle, positions };
    // Committed: what fails from here on costs a spare file, not an entry.
    await this.#tidy(before.head.size, checkpoint).catch(() => undefined);
  }

  /** After the commit, because a kept head that was never the tree's head would look like a fork. */
  async #tidy(olderSize: number, checkpoint: string): Promise<void> {
    const { directory, headFile = null } = this.#options;
    if (headFile !== null) await replaceDurably(headFile, checkpoint);
    await this.#keep(checkpoint);
    const kept = new Set(partialsOf(this.head.size).map(tilePath));
    await removePartials(
      directory,
      partialsOf(olderSize).filter((tile) => !kept.has(tilePath(tile))),
    );
    await rm(join(directory, positionsPath(olderSize)), { force: true });
  }

  /** Now and then a checkpoint is kept, so that a later rewrite would have to explain it away. */
  async #keep(checkpoint: string): Promise<void> {
    const now = this.#options.clock.now();
    if (now - this.#keptAt < limits.checkpointKeepMs) return;
    this.#keptAt = now;
    await appendDurably(join(this.#options.directory, 'checkpoints.jsonl'), `${JSON.stringify(checkpoint)}\n`);
  }

  #reset(): void {
    for (const tail of this.#tails.values()) tail.close();
    this.#tails.clear();
    this.#committed = this.#load('newest');
  }

  /** A head that was not ours, or that somebody damaged, is as if there were none: the verifier says what is wrong. */
  #loadCosigned(): LedgerTree['cosigned'] {
    const { directory } = this.#options;
    const note = readIfThere(join(directory, 'cosigned'))?.toString() ?? null;
    if (note === null) return null;
    try {
      const { size } = openCheckpoint(note, this.#verifier, 'older');
      return size > this.head.size ? null : { note, size };
    } catch {
      return null;
    }
  }

  #load(age: 'newest' | 'older'): Committed {
    const { directory, clock } = this.#options;
    const note = readIfThere(join(directory, 'checkpoint'))?.toString() ?? '';
    const { size, root } = openCheckpoint(note, this.#verifier, age);
    const levels: Buffer[][] = [];
    for (let level = 0; levelSize(level, size) > 0; level++) {
      const count = levelSize(level, size);
      const index = Math.floor(count / tileWidth);
      levels.push(count % tileWidth === 0 ? [] : [...this.#reader.tile(level, index, size)]);
    }
    const edge = new TreeEdge(size, levels);
    if (!edge.root().equals(root)) throw damaged(directory);
    const bundle = size % tileWidth === 0 ? [] : [...this.#reader.tile('entries', Math.floor(size / tileWidth), size)];
    const written = readIfThere(join(directory, positionsPath(size)));
    const positions = written === null ? null : parsePositions(written);
    return {
      head: { size, root: toLeafText(root), at: timestamp(clock), checkpoint: note },
      edge,
      bundle,
      positions: positions ?? positionsFrom(this.#reader.entries(0, size, size)),
    };
  }
}

function damaged(directory: string): CordonError<LedgerErrorCode> {
  return ledgerError('ledger-damaged', `the tiles in ${directory} do not give the root of its checkpoint`);
}

function missing(index: number, size: number): CordonError<LedgerErrorCode> {
  return ledgerError('ledger-missing', `the tree has ${size} entries, none at ${index}`);
}
