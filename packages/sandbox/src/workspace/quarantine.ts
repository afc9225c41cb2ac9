import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { workspaceLimits } from '../limits.ts';
import { type Beneath, isFault, openForReading, type Place } from './beneath.ts';
import { listHost, lookUpHost } from './host.ts';
import { isBelow, type RawPath, splitPath } from './path.ts';
import { isGitTrap, isProtectedPath, protectedLiterals } from './protected.ts';
import type { TreeEntry } from './tree.ts';

/** Protected paths of a tree, the topmost of each. */
export function findProtected(entries: readonly TreeEntry[], extra: readonly string[]): RawPath[] {
  const all = new Set<string>(entries.map((entry) => entry.path));
  const found: RawPath[] = [];
  for (const entry of entries) {
    const last = found.at(-1);
    if (last !== undefined && isBelow(entry.path, last)) continue;
    if (isProtectedPath(entry.path, extra) || isGitTrap(entry.path, entry.type === 'folder', (path) => all.has(path)))
      found.push(entry.path);
  }
  return found;
}

/** Protected paths that are reached by name from the top of a workspace; cheap enough to be looked for all the time. */
export function findProtectedAtTop(workspace: Beneath, names: readonly RawPath[], extra: readonly string[]): RawPath[] {
  const top = new Set<string>(names);
  const below = [...protectedLiterals, ...extra].filter(
    (path) => path.includes('/') && top.has(path.slice(0, path.indexOf('/'))),
  );
  const found = names.filter((name) => isProtectedPath(name, extra));
  for (const path of below) if (lookUpHost(workspace, path as RawPath, false) !== null) found.push(path as RawPath);
  return [...new Set(found)];
}

/**
 * Takes a path out of a workspace into a folder of ours. Within one file system that is one rename; across two, files
 * are copied (bounded), links and special files only removed, and folders emptied one by one.
 * False when something of it is still there.
 */
export function moveToQuarantine(workspace: Beneath, path: RawPath, folder: string, name: string): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const moved = workspace.at(path, (place) => {
    try {
      renameSync(place.path, join(folder, name));
      return true;
    } catch (error: unknown) {
      if (isFault(error, 'ENOENT')) return true;
      if (!isFault(error, 'EXDEV')) return false;
      return lookUpHost(workspace, path, false)?.type === 'folder' ? null : copyOut(place, join(folder, name));
    }
  });
  if (moved !== null) return moved;
  const inside = listHost(workspace, path) ?? [];
  const emptied = inside.map((child) =>
    moveToQuarantine(workspace, child, join(folder, name), splitPath(child).at(-1) ?? 'x'),
  );
  return emptied.every(Boolean) && workspace.at(path, (place) => attempt(() => rmdirSync(place.path))) === true;
}

/** Removed in any case; kept when it is a regular file. */
function copyOut(place: Place, to: string): boolean {
  attempt(() => copyBounded(place, to));
  return attempt(() => unlinkSync(place.path));
}

function copyBounded(place: Place, to: string): void {
  const from = openForReading(place);
  let out = -1;
  try {
    if (!fstatSync(from).isFile()) return;
    out = openSync(to, 'wx', 0o600);
    const chunk = Buffer.allocUnsafe(workspaceLimits.copyChunkBytes);
    let left: number = workspaceLimits.quarantineCopyBytesMax;
    for (let n = readSync(from, chunk); n > 0 && left > 0; n = readSync(from, chunk)) {
      writeSync(out, chunk, 0, Math.min(n, left));
      left -= n;
    }
  } finally {
    closeSync(from);
    if (out >= 0) closeSync(out);
  }
}

function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch {
    return false;
  }
}
