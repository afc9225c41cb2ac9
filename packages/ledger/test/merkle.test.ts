import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashLeaf } from '../src/leaf.ts';
import { TreeEdge } from '../src/tree/edge.ts';
import {
  checkConsistency,
  checkInclusion,
  emptyRoot,
  type HashAt,
  hashChildren,
  hashPerfect,
  proveConsistency,
  proveInclusion,
  rootOf,
} from '../src/tree/merkle.ts';

// The reference leaves, roots and proofs of Certificate Transparency's own tests of RFC 6962.
const referenceLeaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const referenceRoots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const inclusionProofs = [
  {
    index: 0,
    size: 8,
    path: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    index: 5,
    size: 8,
    path: [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  { index: 2, size: 3, path: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'] },
];
const consistencyProofs = [
  {
    older: 6,
    newer: 8,
    path: [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  {
    older: 2,
    newer: 5,
    path: [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  },
];

const hex = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('hex'));
const hashesFrom =
  (leaves: readonly Buffer[]): HashAt =>
  (level, index) =>
    hashPerfect(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
const leafAt = (i: number): Buffer => hashLeaf(Buffer.from(`leaf ${i}`));

/** MTH as RFC 6962 §2.1 writes it down. */
function definition(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return emptyRoot;
  if (leaves.length === 1) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return hashChildren(definition(leaves.slice(0, k)), definition(leaves.slice(k)));
}

describe('RFC 6962', () => {
  const leaves = referenceLeaves.map((text) => hashLeaf(Buffer.from(text, 'hex')));

  it('gives the reference roots, by recursion and by growth', () => {
    const edge = new TreeEdge();
    expect(edge.root().toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    referenceRoots.forEach((root, i) => {
      edge.push(leaves[i] as Buffer, () => undefined);
      expect(edge.root().toString('hex')).toBe(root);
      expect(rootOf(i + 1, hashesFrom(leaves)).toString('hex')).toBe(root);
    });
  });

  it('gives and accepts the reference proofs', () => {
    const root = (size: number): Buffer => Buffer.from(referenceRoots[size - 1] ?? '', 'hex');
    for (const { index, size, path } of inclusionProofs) {
      expect(hex(proveInclusion(index, size, hashesFrom(leaves)))).toEqual(path);
      const steps = path.map((step) => Buffer.from(step, 'hex'));
      expect(checkInclusion(leaves[index] as Buffer, index, size, steps, root(size))).toBe(true);
    }
    for (const { older, newer, path } of consistencyProofs) {
      expect(hex(proveConsistency(older, newer, hashesFrom(leaves)))).toEqual(path);
      const steps = path.map((step) => Buffer.from(step, 'hex'));
      expect(checkConsistency({ size: older, root: root(older) }, { size: newer, root: root(newer) }, steps)).toBe(
        true,
      );
    }
  });

  it('agrees with the definition at every size around the tile borders', () => {
    const many = Array.from({ length: 1030 }, (_, i) => leafAt(i));
    const edge = new TreeEdge();
    const interesting = new Set([
      1, 2, 3, 5, 127, 128, 129, 255, 256, 257, 511, 512, 513, 768, 769, 1023, 1024, 1025, 1030,
    ]);
    many.forEach((leaf, i) => {
      edge.push(leaf, () => undefined);
      if (interesting.has(i + 1)) expect(edge.root().equals(definition(many.slice(0, i + 1)))).toBe(true);
    });
  });
});

describe('proofs', () => {
  const many = Array.from({ length: 300 }, (_, i) => leafAt(i));
  const hashAt = hashesFrom(many);

  it('prove what is in, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(), (size, seed, other) => {
        const index = seed % size;
        const root = rootOf(size, hashAt);
        const path = proveInclusion(index, size, hashAt);
        const leaf = many[index] as Buffer;
        expect(checkInclusion(leaf, index, size, path, root)).toBe(true);
        expect(checkInclusion(leafAt(1000), index, size, path, root)).toBe(false);
        expect(checkInclusion(leaf, index, size, [...path, leaf], root)).toBe(false);
        expect(checkInclusion(leaf, size, size, path, root)).toBe(false);
        if (path.length > 0) {
          expect(checkInclusion(leaf, index, size, path.slice(1), root)).toBe(false);
          const changed = path.with(other % path.length, leafAt(1000 + other));
          expect(checkInclusion(leaf, index, size, changed, root)).toBe(false);
        }
        const elsewhere = other % size;
        if (elsewhere !== index) expect(checkInclusion(leaf, elsewhere, size, path, root)).toBe(false);
      }),
    );
  });

  it('prove that a tree grew out of another, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), fc.nat(), (newerSize, seed, other) => {
        const olderSize = 1 + (seed % newerSize);
        const older = { size: olderSize, root: rootOf(olderSize, hashAt) };
        const newer = { size: newerSize, root: rootOf(newerSize, hashAt) };
        const path = proveConsistency(olderSize, newerSize, hashAt);
        expect(checkConsistency(older, newer, path)).toBe(true);
        expect(checkConsistency({ ...older, root: leafAt(1) }, newer, path)).toBe(false);
        expect(checkConsistency(older, { ...newer, root: leafAt(1) }, path)).toBe(false);
        expect(checkConsistency(older, newer, [...path, leafAt(1)])).toBe(false);
        if (path.length > 0) {
          expect(checkConsistency(older, newer, path.slice(1))).toBe(false);
          expect(checkConsistency(older, newer, path.with(other % path.length, leafAt(1000 + other)))).toBe(false);
          expect(checkConsistency(newer, older, path)).toBe(false);
        }
      }),
    );
  });

  it('of the empty tree say nothing', () => {
    const newer = { size: 5, root: rootOf(5, hashAt) };
    expect(checkConsistency({ size: 0, root: emptyRoot }, newer, [])).toBe(true);
    expect(checkConsistency({ size: 0, root: emptyRoot }, newer, [leafAt(1)])).toBe(false);
    expect(checkInclusion(leafAt(0), 0, 0, [], emptyRoot)).toBe(false);
  });
});
