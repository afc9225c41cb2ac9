import { watch } from 'node:fs';
import { access, constants, open, readdir, realpath, stat } from 'node:fs/promises';
import type { HostFiles } from '@cordon/control-plane';
import { CordonError } from '@cordon/protocol';
import type { CordondErrorCode } from './configuration.ts';

/** The host's files, for the control plane, which may not touch them itself. Nothing here writes. */
export const hostFiles: HostFiles = {
  async readText(path, bytesMax) {
    const bytes = await readStart(path, bytesMax + 1);
    if (bytes === null) return null;
    if (bytes.length > bytesMax)
      throw new CordonError<CordondErrorCode>('configuration', `${path}: larger than ${bytesMax} bytes`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  },
  readHead: (path, bytes) => readStart(path, bytes),
  list: (directory) => missing(readdir(directory)),
  realPath: (path) => missing(realpath(path)),
  async kind(path) {
    const found = await missing(stat(path));
    if (found === null) return null;
    if (found.isDirectory()) return 'directory';
    if (!found.isFile()) return 'other';
    return (await missing(access(path, constants.X_OK).then(() => true))) === true ? 'program' : 'file';
  },
  watch(directory, changed) {
    const watcher = watch(directory, { persistent: false }, changed);
    // The folder is removed while we look: nothing changes in it any more.
    watcher.on('error', () => watcher.close());
    return { [Symbol.dispose]: () => watcher.close() };
  },
};

async function readStart(path: string, bytes: number): Promise<Uint8Array | null> {
  const file = await missing(open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === null) return null;
  try {
    // A pipe or device would be read for ever; no configuration is one.
    if (!(await file.stat()).isFile()) return null;
    const buffer = Buffer.alloc(bytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes; length += read) {
      read = (await file.read(buffer, length, bytes - length, length)).bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await file.close();
  }
}

async function missing<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error: unknown) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'ELOOP') return null;
    throw error;
  }
}
