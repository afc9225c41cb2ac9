import { join } from 'node:path';
import { isCordonError } from '@cordon/protocol';
import { parseEntry } from '../entry.ts';
import { hashLeaf } from '../leaf.ts';
import { type Checkpoint, isSignedTwice, openCheckpoint } from '../tree/checkpoint.ts';
import { TreeEdge } from '../tree/edge.ts';
import { partialsOf, readIfThere, readTileFile } from '../tree/files.ts';
import { type NoteVerifier, parseVerifierKey } from '../tree/note.ts';
import { parseBundle, type TileName, tileAt, tilePath, tileWidth } from '../tree/tile.ts';
import { JournalMatch } from './match.ts';
import { Findings, type PartReport } from './report.ts';
import { signatureCodeOf } from './signature.ts';
import { overSteady } from './steady.ts';

export interface TreeVerifyOptions {
  readonly tree: string;
  /** To compare every leaf with the journal it came from; null = the tree alone. */
  readonly journals: string | null;
  readonly verifierKey: string;
  /** Checkpoints that somebody kept elsewhere. */
  readonly checkpoints: readonly string[];
}

/** Rebuilds the whole tree from its entries and compares every tile, the signed head, and every head kept before. */
export function verifyTree(options: TreeVerifyOptions): PartReport {
  return overSteady(
    () => readHead(options.tree),
    () => verifyHead(options, readHead(options.tree)),
  );
}

function readHead(tree: string): string {
  return readIfThere(join(tree, 'checkpoint'))?.toString() ?? '';
}

function verifyHead(options: TreeVerifyOptions, note: string): PartReport {
  const findings = new Findings('tree');
  const verifier = parseVerifierKey(options.verifierKey);
  const head = checkSignature(findings, 'checkpoint', note, verifier);
  if (head === null) return findings.report();
  const known = knownHeads(options, verifier, findings);
  const match = options.journals === null ? null : new JournalMatch(options.journals, findings);
  const edge = rebuild(options.tree, head.size, known, match, findings);
  if (edge === null) return findings.report();
  for (const tile of partialsOf(head.size)) {
    if (tile.level !== 'entries') compareTile(options.tree, tile, edge.levels[tile.level] ?? [], findings);
  }
  if (!edge.root().equals(head.root)) {
    findings.fail({
      code: 'root',
      where: 'checkpoint',
      detail: `the ${head.size} entries do not give the signed root`,
    });
  }
  match?.finish();
  findings.count('size', head.size);
  return findings.report();
}

/** Null, and a failure, when the head is not signed as this key demands. */
function checkSignature(
  findings: Findings,
  where: string,
  note: string,
  verifier: NoteVerifier,
  age: 'newest' | 'older' = 'newest',
): Checkpoint | null {
  try {
    return openCheckpoint(note, verifier, age);
  } catch (error) {
    const code = signatureCodeOf(error);
    if (code === null || !isCordonError(error)) throw error;
    findings.fail({ code, where, detail: note === '' ? 'there is no checkpoint' : error.message });
    return null;
  }
}

/** Size → the roots that were signed for it. */
function knownHeads(options: TreeVerifyOptions, verifier: NoteVerifier, findings: Findings): Map<number, KnownHead[]> {
  const lines = readIfThere(join(options.tree, 'checkpoints.jsonl'))?.toString().split('\n') ?? [];
  const kept = lines.flatMap((line, i) => {
    const note = parseLine(line);
    // A crash can leave the last line unfinished.
    return note === null && i === lines.length - 1
      ? []
      : [{ where: `checkpoints.jsonl:${i + 1}`, note: note ?? '', given: false }];
  });
  const given = options.checkpoints.map((note, i) => ({ where: `given checkpoint ${i + 1}`, note, given: true }));
  const heads = new Map<number, KnownHead[]>();
  let age: 'newest' | 'older' = 'older';
  for (const { where, note, given: isGiven } of [...kept, ...given]) {
    // What somebody kept from before the log had a second key still only adds to what is demanded.
    const checkpoint = checkSignature(findings, where, note, verifier, isGiven ? 'older' : age);
    if (checkpoint === null) continue;
    // Behind the first head with a second signature there is none without.
    if (isSignedTwice(note, verifier)) age = 'newest';
    findings.count('checkpoints');
    heads.set(checkpoint.size, [...(heads.get(checkpoint.size) ?? []), { where, root: checkpoint.root }]);
  }
  return heads;
}

interface KnownHead {
  readonly where: string;
  readonly root: Buffer;
}

function parseLine(line: string): string | null {
  try {
    const note: unknown = JSON.parse(line);
    return typeof note === 'string' ? note : null;
  } catch {
    return null;
  }
}

/** The edge of a tree of `size`, from its entry bundles; null when one cannot be read, since nothing behind it can. */
function rebuild(
  directory: string,
  size: number,
  known: Map<number, KnownHead[]>,
  match: JournalMatch | null,
  findings: Findings,
): TreeEdge | null {
  const edge = new TreeEdge();
  for (let index = 0; index * tileWidth < size; index++) {
    const tile = tileAt('entries', index, size);
    const bytes = readTileFile(directory, tile);
    const bundle = bytes === null ? null : parseBundle(bytes, tile.width);
    if (bundle === null) {
      const detail = bytes === null ? 'missing' : `not ${tile.width} entries`;
      findings.fail({ code: 'bundle', where: tilePath(tile), detail, index: index * tileWidth });
      return null;
    }
    findings.count('bundles');
    for (const bytesOfEntry of bundle) {
      if (match !== null) match.add(edge.size, bytesOfEntry);
      else if (parseEntry(bytesOfEntry) === null) {
        findings.fail({ code: 'entry', where: tilePath(tile), detail: 'a leaf that is no entry', index: edge.size });
      }
      edge.push(hashLeaf(bytesOfEntry), (level, at, hashes) =>
        compareTile(directory, { level, index: at, width: tileWidth }, hashes, findings),
      );
      for (const head of known.get(edge.size) ?? []) {
        if (edge.root().equals(head.root)) continue;
        findings.fail({ code: 'fork', where: head.where, detail: `another root at size ${edge.size} was signed` });
      }
    }
  }
  for (const [other, heads] of known) {
    if (other <= size) continue;
    for (const { where } of heads) {
      findings.fail({ code: 'shortened', where, detail: `${other} entries were signed, the tree has ${size}` });
    }
  }
  return edge;
}

function compareTile(directory: string, tile: TileName, hashes: readonly Buffer[], findings: Findings): void {
  const where = tilePath(tile);
  const bytes = readTileFile(directory, tile);
  findings.count('tiles');
  if (bytes === null) findings.fail({ code: 'tile', where, detail: 'missing' });
  else if (!bytes.equals(Buffer.concat(hashes)))
    findings.fail({ code: 'tile', where, detail: 'other hashes than the entries give' });
}
