import { join } from 'node:path';
import { isCordonError } from '@cordon/protocol';
import { parseEntry } from '../entry.ts';
import { hashLeaf } from '../leaf.ts';
import { type Checkpoint, openCheckpoint } from '../tree/checkpoint.ts';
import { TreeEdge } from '../tree/edge.ts';
import { readIfThere, readTileFile } from '../tree/files.ts';
import { type LoggedHead, toLoggedHead } from '../tree/logged-head.ts';
import { parseVerifierKey } from '../tree/note.ts';
import { parseBundle, tileAt, tilePath, tileWidth } from '../tree/tile.ts';
import type { Findings } from './report.ts';
import { signatureCodeOf } from './signature.ts';

/** The tree of the host itself, which logs the heads of its tenants' trees. */
export interface InfrastructureOptions {
  readonly tree: string;
  readonly verifierKey: string;
}

/** A head of the infrastructure from its folder, as its key demands; null, and a failure, for another. */
export function openInfrastructure(
  { tree, verifierKey }: InfrastructureOptions,
  name: 'checkpoint' | 'cosigned',
  findings: Findings,
): { readonly note: string; readonly head: Checkpoint } | null {
  const note = readIfThere(join(tree, name))?.toString() ?? '';
  try {
    return { note, head: openCheckpoint(note, parseVerifierKey(verifierKey)) };
  } catch (error) {
    const code = signatureCodeOf(error);
    if (code === null || !isCordonError(error)) throw error;
    const detail = note === '' ? 'there is no such head' : error.message;
    findings.fail({ code, where: `infrastructure ${name}`, detail });
    return null;
  }
}

/**
 * The heads of the tenants' logs below a head of the infrastructure, oldest first, out of its entries alone and only if
 * those give the signed root; null, and a failure, when they do not.
 */
export function loggedHeads(tree: string, under: Checkpoint, size: number, findings: Findings): LoggedHead[] | null {
  const heads: LoggedHead[] = [];
  const edge = new TreeEdge();
  for (let index = 0; edge.size < under.size; index++) {
    // A bundle holds what the tree has by now; under an older head only its first entries count.
    const tile = tileAt('entries', index, size);
    const bytes = readTileFile(tree, tile);
    const bundle = bytes === null ? null : parseBundle(bytes, tile.width);
    if (bundle === null) {
      const where = `infrastructure ${tilePath(tile)}`;
      findings.fail({ code: 'bundle', where, detail: bytes === null ? 'missing' : `not ${tile.width} entries` });
      return null;
    }
    for (const bytesOfEntry of bundle.slice(0, Math.min(tileWidth, under.size - edge.size))) {
      const entry = parseEntry(bytesOfEntry);
      const head = entry === null ? null : toLoggedHead(entry);
      if (head !== null) heads.push(head);
      edge.push(hashLeaf(bytesOfEntry), () => undefined);
    }
  }
  if (edge.root().equals(under.root)) return heads;
  findings.fail({
    code: 'root',
    where: 'infrastructure',
    detail: `its ${under.size} entries do not give the signed root`,
  });
  return null;
}
