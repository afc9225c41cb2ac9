import { ledgerError } from '../error.ts';
import { type NoteVerifier, openNote } from './note.ts';
import { hashBytes } from './tile.ts';

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
 * Reads a checkpoint after its signature, and only if it is this log's own.
 *
 * @throws CordonError `ledger-note`
 */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  const [origin, sizeText = '', rootText = '', ...rest] = openNote(note, verifier).split('\n');
  const size = /^(0|[1-9][0-9]{0,15})$/.test(sizeText) ? Number(sizeText) : Number.NaN;
  const root = Buffer.from(rootText, 'base64');
  const sound = Number.isSafeInteger(size) && root.length === hashBytes && root.toString('base64') === rootText;
  if (origin !== verifier.name || !sound || rest.length === 0) {
    throw ledgerError('ledger-note', `not a checkpoint of ${verifier.name}`);
  }
  return { origin: verifier.name, size, root };
}
