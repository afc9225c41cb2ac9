import { isCordonError } from '@cordon/protocol';
import { ledgerError } from '../error.ts';
import { parseHead } from './head-text.ts';
import { type NoteVerifier, openNote, splitNote } from './note.ts';
import { checkSecond } from './second-line.ts';

/** C2SP tlog-checkpoint: origin, size, root, each on a line of its own. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export function encodeCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${checkpoint.root.toString('base64')}\n`;
}

/**
 * Reads a checkpoint after its signatures, and only if it is this log's own. Who pins the log's second key needs that
 * signature too; `older`: but for a head that may be from before that key, and which can only add to what is demanded.
 *
 * @throws CordonError `ledger-note` `ledger-downgrade`
 */
export function openCheckpoint(note: string, verifier: NoteVerifier, age: 'newest' | 'older' = 'newest'): Checkpoint {
  const head = parseHead(openNote(note, verifier));
  if (head === null || head.origin !== verifier.name) {
    throw ledgerError('ledger-note', `not a checkpoint of ${verifier.name}`);
  }
  const { origin, size, root } = head;
  if (verifier.second === null) return { origin, size, root };
  const second = checkSecond(head, splitNote(note).lines, verifier.second);
  if (second === 'wrong')
    throw ledgerError('ledger-note', `the ML-DSA-44 signature of ${origin} does not fit the head`);
  if (second === 'absent' && age === 'newest') {
    throw ledgerError('ledger-downgrade', `a head without the ML-DSA-44 signature of ${origin}, whose key is pinned`);
  }
  return { origin, size, root };
}

/** Whether the log's second key has signed it, for a note that opens as an older one. */
export function isSignedTwice(note: string, verifier: NoteVerifier): boolean {
  if (verifier.second === null) return false;
  try {
    openCheckpoint(note, verifier);
    return true;
  } catch (error) {
    if (isCordonError(error) && error.code === 'ledger-downgrade') return false;
    throw error;
  }
}
