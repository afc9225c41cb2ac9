import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { workspaceLimits } from '../limits.ts';
import { type Beneath, isFault, openForReading, openPlace, type Place, readTarget } from './beneath.ts';
import type { RawPath } from './path.ts';

/** What the host has at a path now. */
export interface HostObject {
  readonly type: 'file' | 'folder' | 'symlink' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly inode: bigint;
  /** Moves with every change of content, owner or mode, and cannot be set back by a program. */
  readonly ctimeNs: bigint;
  /** `sha256:…` of a file, `link:…` of a symlink, else its type: what two sides are compared by. */
  readonly summary: string;
}

const comparedFileBytesMax = 1024 ** 3;

/** Null when nothing is there (or it cannot be reached beneath the workspace). `digest` false leaves a file's summary out. */
export function lookUpHost(workspace: Beneath, path: RawPath, digest = true): HostObject | null {
  return workspace.at(path, (place) => describePlace(place, digest));
}

export function describePlace(place: Place, digest: boolean): HostObject | null {
  const fd = openPlace(place);
  if (fd === null) return null;
  try {
    const info = fstatSync(fd, { bigint: true });
    const type = info.isFile() ? 'file' : info.isDirectory() ? 'folder' : info.isSymbolicLink() ? 'symlink' : 'other';
    return {
      type,
      mode: Number(info.mode) & 0o7777,
      uid: Number(info.uid),
      gid: Number(info.gid),
      size: Number(info.size),
      inode: info.ino,
      ctimeNs: info.ctimeNs,
      summary: summarize(place, type, info, digest),
    };
  } finally {
    closeSync(fd);
  }
}

/** Names in a folder of the host; null when it cannot be entered beneath the workspace. */
export function listHost(workspace: Beneath, path: RawPath): RawPath[] | null {
  const names = workspace.at(path, (place) => {
    const fd = openFolder(place);
    if (fd === null) return null;
    try {
      return readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' });
    } finally {
      closeSync(fd);
    }
  });
  return names?.map((name) => `${path}/${name.toString('latin1')}` as RawPath) ?? null;
}

export function summarizeLink(target: Buffer): string {
  return `link:${target.toString('latin1')}`;
}

function openFolder(place: Place): number | null {
  try {
    return openSync(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY);
  } catch (error: unknown) {
    if (isFault(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return null;
    throw error;
  }
}

function summarize(place: Place, type: HostObject['type'], info: BigIntStats, digest: boolean): string {
  if (type === 'symlink') return summarizeLink(readTarget(place));
  if (type !== 'file') return type;
  if (!digest) return 'file';
  if (info.size > comparedFileBytesMax) return `large:${info.size}:${info.ctimeNs}`;
  return digestFile(place) ?? 'unreadable';
}

/** Null when it is no regular file that may be read. */
export function digestFile(place: Place): string | null {
  let fd: number;
  try {
    fd = openForReading(place);
  } catch (error: unknown) {
    if (isFault(error, 'ENOENT', 'ELOOP', 'EACCES', 'ENXIO')) return null;
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) return null;
    const hash = createHash('sha256');
    const chunk = Buffer.allocUnsafe(workspaceLimits.copyChunkBytes);
    for (let n = readSync(fd, chunk); n > 0; n = readSync(fd, chunk)) hash.update(chunk.subarray(0, n));
    return `sha256:${hash.digest('hex')}`;
  } finally {
    closeSync(fd);
  }
}
