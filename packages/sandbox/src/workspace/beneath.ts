import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import type { RawPath } from './path.ts';
import { splitPath } from './path.ts';

/** Not among Node's constants; the same value on every Linux that Cordon runs on. */
const openPath = 0o10000000;

/**
 * A folder whose inside is reached without ever leaving it: each component is opened by descriptor with
 * O_PATH | O_NOFOLLOW | O_DIRECTORY, so neither a symlink that is there nor one that is swapped in later redirects
 * anything. What openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV) gives, which Node cannot call.
 */
export class Beneath implements Disposable {
  readonly #root: number;
  readonly #device: bigint;
  readonly info: Stats;

  /**
   * The folder's own path was named by an operator and resolved then. It may lie in a folder of somebody else, who can
   * put a link in its place before we come back as root: so no component of it may be one.
   */
  constructor(path: string) {
    this.#root = openWithoutLinks(path);
    this.info = fstatSync(this.#root);
    this.#device = fstatSync(this.#root, { bigint: true }).dev;
  }

  /**
   * Calls back with the folder of `path` (open, so it cannot be exchanged) and the name in it.
   * Null when a component is missing, is no folder, is a symlink, or lies on another file system.
   */
  at<T>(path: RawPath, use: (place: Place) => T): T | null {
    const parts = splitPath(path).map((part) => Buffer.from(part, 'latin1'));
    const name = parts.pop() ?? Buffer.alloc(0);
    let folder = this.#root;
    try {
      for (const part of parts) {
        const next = this.#enter(folder, part);
        if (folder !== this.#root) closeSync(folder);
        folder = this.#root;
        if (next === null) return null;
        folder = next;
      }
      return use({ folder, name, path: through(folder, name), beside: (other) => through(folder, Buffer.from(other)) });
    } finally {
      if (folder !== this.#root) closeSync(folder);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#root);
  }

  #enter(folder: number, part: Buffer): number | null {
    let next: number;
    try {
      next = openSync(through(folder, part), openPath | constants.O_NOFOLLOW | constants.O_DIRECTORY);
    } catch (error: unknown) {
      if (isFault(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
      throw error;
    }
    if (fstatSync(next, { bigint: true }).dev === this.#device) return next;
    closeSync(next);
    return null;
  }
}

/** @throws the system's own error; ELOOP or ENOTDIR where a component is a link */
function openWithoutLinks(path: string): number {
  const flags = openPath | constants.O_NOFOLLOW | constants.O_DIRECTORY;
  let folder = openSync('/', flags);
  for (const part of path.split('/').filter((one) => one !== '')) {
    try {
      const next = openSync(through(folder, Buffer.from(part)), flags);
      closeSync(folder);
      folder = next;
    } catch (error: unknown) {
      closeSync(folder);
      throw error;
    }
  }
  return folder;
}

/** A name in an open folder. The paths go through /proc/self/fd and are good only while the callback runs. */
export interface Place {
  readonly folder: number;
  readonly name: Buffer;
  readonly path: Buffer;
  readonly beside: (name: string) => Buffer;
}

/** Opens what is at a place as an O_PATH descriptor, symlinks included as themselves; null when there is nothing. */
export function openPlace(place: Place): number | null {
  try {
    return openSync(place.path, openPath | constants.O_NOFOLLOW);
  } catch (error: unknown) {
    if (isFault(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Reading of a regular file; a FIFO that was put there in between does not block. */
export function openForReading(place: Place): number {
  return openSync(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

export function readTarget(place: Place): Buffer {
  return readlinkSync(place.path, { encoding: 'buffer' });
}

export function isFault(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

function through(folder: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${folder}/`), name]);
}
