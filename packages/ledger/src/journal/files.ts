import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writevSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** The system calls of a journal, so that a test can make each of them fail once. */
export interface JournalFiles {
  openAppend(path: string): number;
  /** One `writev(2)`; returns the bytes that were taken, which may be fewer. */
  write(fd: number, buffers: readonly Uint8Array[]): number;
  sync(fd: number): Promise<void>;
  syncNow(fd: number): void;
  syncDirectory(path: string): void;
  truncate(fd: number, bytes: number): void;
  close(fd: number): void;
  read(path: string): Buffer;
  /** Whole new file under a temporary name, synced, then renamed. */
  replace(path: string, bytes: Uint8Array | string): void;
  makeDirectory(path: string): void;
}

export const nodeFiles: JournalFiles = {
  openAppend: (path) => openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600),
  write: (fd, buffers) => writevSync(fd, buffers as Uint8Array[]),
  sync: (fd) =>
    new Promise((resolve, reject) => {
      fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
    }),
  syncNow: (fd) => fdatasyncSync(fd),
  syncDirectory,
  truncate: (fd, bytes) => ftruncateSync(fd, bytes),
  close: (fd) => closeSync(fd),
  read: (path) => readFileSync(path),
  replace,
  makeDirectory,
};

function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  // Each new folder is a line in its parent, and that line must be on disk too.
  for (let made = path; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made));
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function replace(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.new`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}
