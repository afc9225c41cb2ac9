import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  openSync,
  readSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { CordonError } from '@cordon/protocol';
import { workspaceLimits } from '../limits.ts';
import { type Beneath, openForReading, type Place } from './beneath.ts';
import type { PlannedChange } from './proposal.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface StagedFile {
  /** The temporary name. */
  readonly name: string;
  readonly owner: Owner;
  /** Whether this one is written to disk at once; otherwise the caller does it for all. */
  readonly flush: boolean;
}

/** Why one change could not be prepared, in words for a person; the others go on. */
export class Refusal extends CordonError<'change-refused'> {
  constructor(why: string) {
    super('change-refused', why, { expose: true });
  }
}

/**
 * Writes the new content under a temporary name beside its target, on disk before it takes its place: a full disk or a crash here
 * leaves the target as it was. Copies content only: no extended attribute, capability or special bit comes along.
 */
export function stageFile(change: PlannedChange, upper: Beneath, place: Place, staged: StagedFile): void {
  const path = place.beside(staged.name);
  const to = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    const digest = upper.at(change.path, (source) => copy(source, to));
    if (digest !== change.after) throw new Refusal('it changed while it was applied');
    // Owner first: a change of owner clears bits of the mode.
    own(to, staged.owner);
    fchmodSync(to, (change.entry?.mode ?? 0) & 0o777);
    if (staged.flush) fsyncSync(to);
  } catch (error: unknown) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(to);
  }
}

export function stageSymlink(change: PlannedChange, place: Place, temporary: string, owner: Owner): void {
  const path = place.beside(temporary);
  symlinkSync(change.entry?.target ?? Buffer.alloc(0), path);
  if (process.getuid?.() === 0) lchownSync(path, owner.uid, owner.gid);
}

export function own(fd: number, owner: Owner): void {
  const now = fstatSync(fd);
  if (now.uid === owner.uid && now.gid === owner.gid) return;
  try {
    fchownSync(fd, owner.uid, owner.gid);
  } catch {
    throw new Refusal('the file of the host belongs to somebody else');
  }
}

function copy(source: Place, to: number): string {
  const from = openForReading(source);
  try {
    const info = fstatSync(from);
    if (!info.isFile()) throw new Refusal('it changed while it was applied');
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(workspaceLimits.copyChunkBytes);
    const zeros = Buffer.alloc(workspaceLimits.copyChunkBytes);
    let at = 0;
    for (let n = readSync(from, chunk); n > 0; n = readSync(from, chunk)) {
      const part = chunk.subarray(0, n);
      hash.update(part);
      // Holes stay holes, or a small sparse file could fill the host's disk.
      if (!part.equals(zeros.subarray(0, n))) writeAll(to, part, at);
      at += n;
      if (at > info.size) throw new Refusal('it changed while it was applied');
    }
    ftruncateSync(to, at);
    return `sha256:${hash.digest('hex')}`;
  } finally {
    closeSync(from);
  }
}

function writeAll(to: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(to, bytes, done, bytes.length - done, position + done);
}
