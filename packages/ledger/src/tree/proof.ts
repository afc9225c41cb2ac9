import { canonicalize, isCordonError, type LedgerProof, type RecordValue } from '@cordon/protocol';
import { hashLeaf, toLeafText } from '../leaf.ts';
import { openCheckpoint } from './checkpoint.ts';
import { checkInclusion } from './merkle.ts';
import { parseVerifierKey } from './note.ts';

export type ProofVerdict =
  | { readonly ok: true; readonly size: number; readonly root: string }
  | { readonly ok: false; readonly why: string };

/**
 * Whether the proof's entry is in the log of `verifierKey`. The key that the proof carries is only a hint for people:
 * whoever made the proof could have put any there.
 */
export function verifyProof(proof: LedgerProof, verifierKey: string): ProofVerdict {
  try {
    const checkpoint = openCheckpoint(proof.checkpoint, parseVerifierKey(verifierKey));
    const leaf = hashLeaf(Buffer.from(canonicalize(proof.entry as RecordValue)));
    if (toLeafText(leaf) !== proof.leaf) return { ok: false, why: 'the entry is not the one that the leaf names' };
    const path = proof.path.map(parseHash);
    if (path.some((step) => step === null)) return { ok: false, why: 'the path holds something that is no hash' };
    if (!Number.isSafeInteger(proof.index) || proof.index < 0) return { ok: false, why: 'the index is no number' };
    if (!checkInclusion(leaf, proof.index, checkpoint.size, path as Buffer[], checkpoint.root)) {
      return { ok: false, why: 'the path does not lead to the root of the checkpoint' };
    }
    return { ok: true, size: checkpoint.size, root: toLeafText(checkpoint.root) };
  } catch (error) {
    if (!isCordonError(error)) throw error;
    return { ok: false, why: error.message };
  }
}

function parseHash(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : null;
}
