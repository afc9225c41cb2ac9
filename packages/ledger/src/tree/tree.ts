import type { Entry, LedgerProof } from '@cordon/protocol';
import type { JournalRecord, TailProblem } from '../journal/tail.ts';

export interface TreeHead {
  readonly size: number;
  /** `sha256:` and hexadecimal, as leaves are written. */
  readonly root: string;
  /** When this head was signed or read. */
  readonly at: string;
  /** The signed note. */
  readonly checkpoint: string;
}

export interface IntegratedRecord extends JournalRecord {
  /** Its place in the tree, for ever. */
  readonly index: number;
}

export interface Integration {
  readonly records: readonly IntegratedRecord[];
  readonly size: number;
  /** There is more to take in at once. */
  readonly more: boolean;
  /** Journals that cannot be read to their end. */
  readonly problems: readonly TailProblem[];
}

export interface TreeEntry {
  readonly index: number;
  readonly leaf: string;
  readonly entry: Entry;
}

/**
 * One tenant's tree, built from the journals of all its writers. The order of leaves is the order of integration;
 * which entry stands where is told by the entries themselves, which name writer and wseq.
 *
 * INVARIANT: journals are synced before their entries become leaves, and tiles before the checkpoint that covers them;
 * so a crash at any point leaves a tree that its checkpoint describes, and journals that reach at least as far.
 */
export interface LedgerTree extends AsyncDisposable {
  /** The log's name, which stands in its heads and keys. */
  readonly origin: string;
  readonly head: TreeHead;
  /** Takes in what the journals have grown by. Calls queue up; a failed one has changed nothing. */
  integrate(): Promise<Integration>;
  /** Last entry of this writer that is a leaf; 0 = none. */
  integratedWseq(writer: string): number;
  /** @throws CordonError `ledger-missing` `ledger-damaged` */
  entries(from: number, count: number): TreeEntry[];
  /**
   * Proof that the entry at `index` is in the tree: under the newest head that witnesses cosigned, if that covers it, else
   * under the present one; or under the head of the size `under`, which is signed again.
   *
   * @throws CordonError `ledger-missing`
   */
  prove(index: number, under?: number): LedgerProof;
  /** What the last {@link LedgerTree.keepCosigned} kept; null when others have cosigned nothing yet. */
  readonly cosigned: { readonly note: string; readonly size: number } | null;
  /**
   * Keeps a head of this tree with the cosignatures of witnesses; it then stands in proofs.
   * @throws CordonError `ledger-note` for what is no head that this log signed
   */
  keepCosigned(note: string): Promise<void>;
  /** Hexadecimal path from an older size to a newer, the present one if left out. @throws CordonError `ledger-missing` */
  proveConsistency(olderSize: number, newerSize?: number): string[];
  close(): Promise<void>;
}
