import { hash } from 'node:crypto';

/** RFC 6962 §2.1 over any source of hashes. Sizes and indexes are safe integers, so no 32-bit operators here. */

const nodePrefix = Buffer.from([1]);
export const emptyRoot: Buffer = hash('sha256', Buffer.alloc(0), 'buffer');

/** Root of the perfect subtree `index` of height `level`: leaves `index·2^level` up to the next. */
export type HashAt = (level: number, index: number) => Buffer;

export function hashChildren(left: Uint8Array, right: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer');
}

/** Root over hashes that fill a perfect subtree (1, 2, 4, … of them). */
export function hashPerfect(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, i) =>
      hashChildren(row[2 * i] as Buffer, row[2 * i + 1] as Buffer),
    );
  }
  return row[0] ?? emptyRoot;
}

export function rootOf(size: number, hashAt: HashAt): Buffer {
  return size === 0 ? emptyRoot : rangeHash(0, size, hashAt);
}

/** RFC 6962 §2.1.1, leaf upwards. */
export function proveInclusion(index: number, size: number, hashAt: HashAt): Buffer[] {
  const path: Buffer[] = [];
  for (let low = 0, high = size; high - low > 1; ) {
    const middle = low + splitOf(high - low);
    if (index < middle) {
      path.push(rangeHash(middle, high, hashAt));
      high = middle;
    } else {
      path.push(rangeHash(low, middle, hashAt));
      low = middle;
    }
  }
  return path.reverse();
}

/** RFC 6962 §2.1.2; empty when the sizes are equal or the older is 0. */
export function proveConsistency(older: number, newer: number, hashAt: HashAt): Buffer[] {
  if (older === 0 || older === newer) return [];
  return subProof(older, 0, newer, true, hashAt);
}

function subProof(older: number, low: number, high: number, whole: boolean, hashAt: HashAt): Buffer[] {
  const size = high - low;
  if (older === size) return whole ? [] : [rangeHash(low, high, hashAt)];
  const split = splitOf(size);
  return older <= split
    ? [...subProof(older, low, low + split, whole, hashAt), rangeHash(low + split, high, hashAt)]
    : [...subProof(older - split, low + split, high, false, hashAt), rangeHash(low, low + split, hashAt)];
}

/** RFC 9162 §2.1.3.2. */
export function checkInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  path: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index >= size) return false;
  let at = index;
  let last = size - 1;
  let hashed = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hashed = hashChildren(sibling, hashed);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      hashed = hashChildren(hashed, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hashed.equals(root);
}

/** RFC 9162 §2.1.4.2. */
export function checkConsistency(
  older: { readonly size: number; readonly root: Buffer },
  newer: { readonly size: number; readonly root: Buffer },
  path: readonly Buffer[],
): boolean {
  if (older.size > newer.size) return false;
  if (older.size === newer.size) return path.length === 0 && older.root.equals(newer.root);
  if (older.size === 0) return path.length === 0;
  const steps = isPowerOfTwo(older.size) ? [older.root, ...path] : [...path];
  let [oldHash] = steps;
  if (oldHash === undefined) return false;
  let newHash = oldHash;
  let at = older.size - 1;
  let last = newer.size - 1;
  while (at % 2 === 1) {
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  for (const step of steps.slice(1)) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      oldHash = hashChildren(step, oldHash);
      newHash = hashChildren(step, newHash);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      newHash = hashChildren(newHash, step);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && oldHash.equals(older.root) && newHash.equals(newer.root);
}

/** MTH of the leaves `low` to `high`, a range that the tree's own splits produce. */
function rangeHash(low: number, high: number, hashAt: HashAt): Buffer {
  const size = high - low;
  if (isPowerOfTwo(size)) return hashAt(Math.log2(size), low / size);
  const split = splitOf(size);
  return hashChildren(rangeHash(low, low + split, hashAt), rangeHash(low + split, high, hashAt));
}

/** The largest power of two below `size`. */
function splitOf(size: number): number {
  const power = 2 ** Math.floor(Math.log2(size));
  return power === size ? size / 2 : power;
}

function isPowerOfTwo(size: number): boolean {
  return 2 ** Math.floor(Math.log2(size)) === size;
}
