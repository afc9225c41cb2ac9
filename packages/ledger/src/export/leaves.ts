import { join } from 'node:path';
import type { Entry } from '@cordon/protocol';
import { ledgerError } from '../error.ts';
import { hashLeaf, toLeafText } from '../leaf.ts';
import { openCheckpoint } from '../tree/checkpoint.ts';
import { readIfThere } from '../tree/files.ts';
import { parseVerifierKey } from '../tree/note.ts';
import { TileReader } from '../tree/reader.ts';

/** One leaf of a tree on disk. */
export interface Leaf {
  readonly index: number;
  readonly leaf: string;
  readonly entry: Entry;
}

/**
 * The leaves under the signed head, oldest first. Reads files alone, and only under a head of this key; whether they give
 * its root is the verifier's question.
 *
 * @throws CordonError `ledger-note` `ledger-missing` `ledger-damaged`
 */
export function* readLeaves(directory: string, verifierKey: string, from = 0): Generator<Leaf, void, undefined> {
  const note = readIfThere(join(directory, 'checkpoint'))?.toString() ?? null;
  if (note === null) throw ledgerError('ledger-missing', `${directory} has no checkpoint`);
  const { size } = openCheckpoint(note, parseVerifierKey(verifierKey));
  for (const { index, entry, bytes } of new TileReader(directory).entries(from, size, size)) {
    yield { index, leaf: toLeafText(hashLeaf(bytes)), entry };
  }
}
