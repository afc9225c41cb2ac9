import { type Refusal, refuse } from '../error.ts';
import { limits } from '../limits.ts';

export interface BundleFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export type TarResult = { readonly ok: true; readonly files: readonly BundleFile[] } | Refusal<'bundle-malformed'>;

const block = 512;
/** POSIX ustar (IEEE Std 1003.1): offsets and lengths of what is not always the same. */
const nameBytes = 100;
const sizeAt = 124;
const sizeBytes = 12;
const sumAt = 148;
const typeAt = 156;

/**
 * Files as ustar, in the order of their names, with nothing in it that says when, where and by whom it was made. The same
 * files are the same bytes.
 */
export function writeTar(files: readonly BundleFile[]): Buffer {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const parts: Buffer[] = [];
  for (const { path, bytes } of sorted) {
    const padding = Buffer.alloc((block - (bytes.length % block)) % block);
    parts.push(headerOf(path, bytes.length), Buffer.from(bytes), padding);
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

/**
 * Reads exactly what {@link writeTar} writes: plain files with plain names, each once, in order, and nothing behind the
 * end. Two readers that disagree about an archive (links, `..`, long names, a second file of one name) would be two policies.
 */
export function readTar(bytes: Uint8Array): TarResult {
  const no = (message: string): Refusal<'bundle-malformed'> => refuse('bundle-malformed', message);
  if (bytes.length > limits.bundleBytesMax) return no(`a bundle has at most ${limits.bundleBytesMax} bytes`);
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files: BundleFile[] = [];
  let at = 0;
  for (;;) {
    if (at + 2 * block > data.length) return no('the archive ends before its end');
    if (data[at] === 0) break;
    if (files.length >= limits.bundleFilesMax) return no(`a bundle has at most ${limits.bundleFilesMax} files`);
    const path = data.toString('latin1', at, at + nameBytes).replace(/\0+$/, '');
    if (!isPlainPath(path)) return no(`file ${files.length + 1}: the name is not plain`);
    const before = files.at(-1)?.path;
    if (before !== undefined && before >= path) return no(`${path}: stands twice, or not in order`);
    const size = sizeOf(data.subarray(at + sizeAt, at + sizeAt + sizeBytes));
    if (size === null || at + block + size > data.length - 2 * block) return no(`${path}: the size is wrong`);
    // Type, mode, owner, time, links and checksum at once: the header has one form.
    if (!data.subarray(at, at + block).equals(headerOf(path, size))) return no(`${path}: not a plain file of ours`);
    const end = at + block + size;
    files.push({ path, bytes: data.subarray(at + block, end) });
    at = end + ((block - (size % block)) % block);
    if (data.subarray(end, at).some((byte) => byte !== 0)) return no(`${path}: something stands behind its end`);
  }
  if (data.length !== at + 2 * block || data.subarray(at).some((byte) => byte !== 0)) {
    return no('something stands behind the end of the archive');
  }
  return { ok: true, files };
}

/** Letters, digits and `._-` between single slashes, no segment beginning with a dot: no name that a disk reads otherwise. */
export function isPlainPath(path: string): boolean {
  return path.length <= nameBytes && /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,7}$/.test(path);
}

function sizeOf(field: Buffer): number | null {
  const text = field.toString('latin1');
  return /^[0-7]{11}\0$/.test(text) ? Number.parseInt(text, 8) : null;
}

function headerOf(path: string, size: number): Buffer {
  const header = Buffer.alloc(block);
  header.write(path, 0, nameBytes, 'latin1');
  header.write('0000644\0', 100, 'latin1');
  header.write('0000000\0', 108, 'latin1');
  header.write('0000000\0', 116, 'latin1');
  header.write(`${size.toString(8).padStart(11, '0')}\0`, sizeAt, 'latin1');
  header.write('00000000000\0', 136, 'latin1');
  header.write('        ', sumAt, 'latin1');
  header.write('0', typeAt, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, sumAt, 'latin1');
  return header;
}
