import { ledgerError } from '../error.ts';
import { type Checkpoint, isSignedTwice, openCheckpoint } from './checkpoint.ts';
import { readIfThere } from './files.ts';
import { type HashAt, rootOf } from './merkle.ts';
import { type NoteVerifier, parseVerifierKey } from './note.ts';

export interface KeptHead extends Checkpoint {
  /** By the log's second key too: from then on no head of this log is without. */
  readonly signedTwice: boolean;
}

/**
 * The newest signed head, as it was kept outside of the tree's folder; null when none was kept yet. Whoever can only
 * write there could else put back an old head, or none, write new journals, and have them signed at the next start.
 *
 * @throws CordonError `ledger-damaged`
 */
export function readKeptHead(path: string, verifierKey: string): KeptHead | null {
  const note = readIfThere(path)?.toString() ?? null;
  if (note === null) return null;
  const verifier: NoteVerifier = parseVerifierKey(verifierKey);
  try {
    return { ...openCheckpoint(note, verifier, 'older'), signedTwice: isSignedTwice(note, verifier) };
  } catch (cause) {
    throw ledgerError('ledger-damaged', `${path} is no head that this key signed`, cause);
  }
}

/** The tree must still hold what the kept head signed. @throws CordonError `ledger-damaged` */
export function checkKeptHead(kept: Checkpoint, size: number, hashAt: HashAt): void {
  if (size < kept.size) {
    throw ledgerError('ledger-damaged', `the tree has ${size} entries, ${kept.size} were signed`);
  }
  if (!rootOf(kept.size, hashAt).equals(kept.root)) {
    throw ledgerError('ledger-damaged', `the first ${kept.size} entries of the tree are not those that were signed`);
  }
}
