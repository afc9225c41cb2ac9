import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { storeError, systemCode } from './error.ts';
import { limits } from './limits.ts';

/** Whole or not at all, also after a power loss: a new file is synced, renamed over the old one, and the folder synced. */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string, mode = 0o600): Promise<void> {
  // In a folder of its own, so that two writers of one path never share a temporary name.
  const folder = await mkdtemp(join(dirname(path), '.new-'));
  try {
    const temporary = join(folder, basename(path));
    await writeNew(temporary, bytes, mode);
    await rename(temporary, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await syncFolder(dirname(path));
}

/**
 * Makes the folder and its parents, or checks that what is there is ours alone: a folder and no link, owned by this
 * user, open to nobody whom `mode` shuts out.
 *
 * @throws CordonError `store-permission`
 */
export async function ensureDirectory(path: string, mode = 0o700): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode });
  const stat = await lstat(path);
  const wider = (stat.mode & 0o777 & ~mode) !== 0;
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || wider) {
    const rights = mode.toString(8);
    const mend = stat.isDirectory() && stat.uid === process.getuid?.() ? `: chmod ${rights} ${path}` : '';
    throw storeError('store-permission', `${path} must be a folder of this user with mode ${rights}${mend}`);
  }
  for (let folder = path; made !== undefined && folder.length >= made.length; folder = dirname(folder)) {
    await syncFolder(dirname(folder));
  }
}

/**
 * The bytes of a secret file.
 *
 * @throws CordonError `store-missing`; `store-permission` for a link, another owner, or bits for group or world
 */
export async function readKeyFile(path: string): Promise<Uint8Array> {
  await using file = await openKeyFile(path);
  const stat = await file.stat();
  if (!stat.isFile() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0) {
    throw storeError('store-permission', `${path} must be a file of this user alone (mode 600)`);
  }
  if (stat.size > limits.keyFileBytesMax) throw storeError('store-damaged', `${path} is too large for a key`);
  return await file.readFile();
}

/** @throws CordonError `store-conflict` when there is one already */
export async function createKeyFile(path: string, bytes: Uint8Array | string): Promise<void> {
  try {
    await writeNew(path, bytes, 0o600);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw storeError('store-conflict', `${path} exists`, error);
    await rm(path, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Gone for good when it resolves; one that is not there is no error. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncFolder(dirname(path));
}

async function openKeyFile(path: string): Promise<FileHandle> {
  try {
    // Checked on the descriptor, and never through a link: the path may be swapped between two looks at it.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw storeError('store-missing', `no file ${path}`, error);
    if (systemCode(error) === 'ELOOP') throw storeError('store-permission', `${path} is a link`, error);
    throw error;
  }
}

async function writeNew(path: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  await using file = await open(path, 'wx', mode);
  // The umask may have taken bits away.
  await file.chmod(mode);
  await file.writeFile(bytes);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
