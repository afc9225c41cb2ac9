import { spawn } from 'node:child_process';
import { CordonError } from '@cordon/protocol';
import { workspaceLimits } from '../limits.ts';
import type { WorkspaceErrorCode } from './error.ts';
import { comparePaths, parseRawPath, type RawPath } from './path.ts';

/** One entry of a folder that an agent has filled, as `launch tree` (native/launch/tree.c) found it. */
export interface TreeEntry {
  readonly path: RawPath;
  readonly type: 'file' | 'folder' | 'symlink' | 'whiteout' | 'device' | 'fifo' | 'socket' | 'unknown';
  readonly opaque: boolean;
  /** Overlay metacopy or redirect: the entry stands for something that is not here. */
  readonly redirect: boolean;
  readonly notEntered: boolean;
  readonly unreadable: boolean;
  readonly unhashed: boolean;
  /** Permission bits and above, without the type. */
  readonly mode: number;
  readonly nlink: number;
  readonly inode: string;
  readonly size: number;
  /** `sha256:…` of a regular file that was hashed. */
  readonly digest: string | null;
  readonly target: Buffer;
}

const types: Readonly<Record<string, TreeEntry['type']>> = {
  f: 'file',
  d: 'folder',
  l: 'symlink',
  w: 'whiteout',
  c: 'device',
  b: 'device',
  p: 'fifo',
  s: 'socket',
  x: 'unknown',
};
const flags = { opaque: 1, redirect: 2, notEntered: 8, unreadable: 16, unhashed: 32, cut: 64 } as const;
const fixedBytes = 96;

/** Entries of a folder, parents first, and whether the walk ended early. @throws CordonError `tree-unreadable` */
export function parseTree(bytes: Buffer): { entries: TreeEntry[]; cut: boolean } {
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at + 4 + fixedBytes <= bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length || end - at < 4 + fixedBytes) break;
    const type = String.fromCharCode(bytes[at + 4] ?? 0);
    if (type === 'E') {
      if (end !== bytes.length || bytes.readBigUInt64LE(at + 32) !== BigInt(entries.length)) break;
      return {
        entries: entries.sort((a, b) => comparePaths(a.path, b.path)),
        cut: (bytes.readUInt16LE(at + 6) & flags.cut) !== 0,
      };
    }
    entries.push(parseEntry(type, bytes.subarray(at + 4, end)));
    at = end;
  }
  throw unreadable('the walk of the proposal was cut off');
}

/** `names` opens no file: no digests, no marks of an overlay. */
export async function readTree(
  launch: string,
  mode: 'list' | 'names',
  folder: string,
  signal?: AbortSignal,
): Promise<{ entries: TreeEntry[]; cut: boolean }> {
  const limit = [String(workspaceLimits.treeEntriesMax)];
  if (mode === 'list') limit.push(String(workspaceLimits.treeHashBytesMax));
  return parseTree(await runTree(launch, [mode, ...limit, folder], signal));
}

/** @throws CordonError `tree-unreadable` */
export function runTree(launch: string, args: readonly string[], signal?: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(launch, ['tree', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {},
      ...(signal && { signal }),
    });
    child.on('error', (cause) => reject(unreadable(`tree ${args[0]}`, cause)));
    // Without a descriptor left there are no streams either; why is what 'error' says.
    if (child.pid === undefined) return;
    const chunks: Buffer[] = [];
    let size = 0;
    let words = '';
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > workspaceLimits.treeOutputBytesMax) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      words = `${words}${chunk.toString('latin1')}`.slice(0, 500);
    });
    child.on('close', (status) => {
      if (status === 0) resolve(Buffer.concat(chunks));
      else reject(unreadable(`tree ${args[0]}: ${words || `ended with ${status}`}`));
    });
  });
}

function parseEntry(type: string, bytes: Buffer): TreeEntry {
  const flag = bytes.readUInt16LE(2);
  const pathEnd = fixedBytes + bytes.readUInt32LE(fixedBytes - 4);
  const targetStart = pathEnd + 4;
  if (targetStart > bytes.length || targetStart + bytes.readUInt32LE(pathEnd) !== bytes.length)
    throw unreadable('malformed record');
  const kind = types[type] ?? 'unknown';
  const hashed = kind === 'file' && (flag & (flags.unreadable | flags.unhashed)) === 0;
  return {
    path: parseRawPath(bytes.toString('latin1', fixedBytes, pathEnd)),
    type: kind,
    opaque: (flag & flags.opaque) !== 0,
    redirect: (flag & flags.redirect) !== 0,
    notEntered: (flag & flags.notEntered) !== 0,
    unreadable: (flag & flags.unreadable) !== 0,
    unhashed: (flag & flags.unhashed) !== 0,
    mode: bytes.readUInt32LE(4) & 0o7777,
    nlink: bytes.readUInt32LE(16),
    size: Number(bytes.readBigUInt64LE(28)),
    inode: `${bytes.readBigUInt64LE(44)}:${bytes.readBigUInt64LE(36)}`,
    digest: hashed ? `sha256:${bytes.toString('hex', 60, 92)}` : null,
    target: bytes.subarray(targetStart),
  };
}

function unreadable(message: string, cause?: unknown): CordonError {
  return new CordonError<WorkspaceErrorCode>('tree-unreadable', message, { cause });
}
