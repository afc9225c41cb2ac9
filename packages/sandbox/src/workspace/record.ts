import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isFault } from './beneath.ts';

/** Small JSON files of ours beside a proposal. Written whole, flushed, renamed: a reader sees the old or the new one. */
export function writeRecord(folder: string, name: string, value: unknown): void {
  const path = join(folder, name);
  const fd = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(fd, JSON.stringify(value));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** Null when there is none. The folder is ours alone (0700), so what is read was written by {@link writeRecord}. */
export function readRecord(folder: string, name: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, name), 'utf8'));
  } catch (error: unknown) {
    if (isFault(error, 'ENOENT')) return null;
    throw error;
  }
}

export function removeRecord(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
}

/** A record that is a map of strings; anything else in it is dropped. */
export function readStrings(folder: string, name: string): Map<string, string> | null {
  const value = readRecord(folder, name);
  if (typeof value !== 'object' || value === null) return null;
  return new Map(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
