import { readFileSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing } from '../missing.ts';
import { type TileName, tileHeight, tilePath, tileWidth } from './tile.ts';

/** Reads one tile or bundle of a tree folder; null when there is none. */
export function readTileFile(directory: string, tile: TileName): Buffer | null {
  return readIfThere(join(directory, tilePath(tile)));
}

export function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * Writes files of one integration and puts them, and the folders that name them, on disk.
 * Nothing here is covered by a checkpoint yet, so a crash in between leaves only files that the next try writes anew.
 */
export async function writeDurably(root: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const folders = new Set<string>();
  for (const path of files.keys()) {
    const folder = dirname(join(root, path));
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    folders.add(folder);
    for (let made = folder; first !== undefined && made.length >= first.length; made = dirname(made)) {
      folders.add(dirname(made));
    }
  }
  await Promise.all([...files].map(([path, bytes]) => writeSynced(join(root, path), bytes)));
  await Promise.all([...folders].map(syncFolder));
}

/** The commit of an integration: the new checkpoint replaces the old one in one step. */
export async function replaceDurably(path: string, bytes: string): Promise<void> {
  await writeSynced(`${path}.new`, Buffer.from(bytes));
  await rename(`${path}.new`, path);
  await syncFolder(dirname(path));
}

export async function appendDurably(path: string, line: string): Promise<void> {
  await using file = await open(path, 'a', 0o600);
  await file.appendFile(line);
  await file.datasync();
}

/** Removes the partial tiles that a tree of `size` no longer needs, and leaves those that it does. */
export async function removePartials(root: string, tiles: Iterable<TileName>): Promise<void> {
  for (const tile of tiles) {
    const path = join(root, tilePath(tile));
    await rm(path, { force: true });
    const left = await readdir(dirname(path)).catch(() => ['?']);
    if (left.length === 0) await rm(dirname(path), { recursive: true, force: true });
  }
}

/** All partial tiles and bundles of a tree of `size` leaves. */
export function partialsOf(size: number): TileName[] {
  const partials: TileName[] = [];
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / 2 ** tileHeight)) {
    const width = count % tileWidth;
    if (width === 0) continue;
    const index = Math.floor(count / tileWidth);
    partials.push({ level, index, width });
    if (level === 0) partials.push({ level: 'entries', index, width });
  }
  return partials;
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  await file.writeFile(bytes);
  await file.datasync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
