import { closeSync, existsSync, fstatSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { nodeFiles } from '../journal/files.ts';

/**
 * Overwrites a small file in place before it is removed, and puts both on disk. A file system that writes elsewhere
 * (copy on write, a journal of data, snapshots) and a disk that remaps may keep the old bytes; docs/reference/ledger.md
 * says so.
 */
export function wipe(path: string): void {
  if (!existsSync(path)) return;
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, Buffer.alloc(fstatSync(fd).size), 0, undefined, 0);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  rmSync(path);
  nodeFiles.syncDirectory(dirname(path));
}
