import { type HashAt, hashPerfect } from './merkle.ts';

/** C2SP tlog-tiles: tiles of height 8, 256 hashes each; entry bundles of 256 entries. */
export const tileWidth = 256;
export const tileHeight = 8;
export const hashBytes = 32;

/** Which tile: hash level, or `entries` for a bundle; `width` below 256 names a partial one. */
export interface TileName {
  readonly level: number | 'entries';
  readonly index: number;
  readonly width: number;
}

/** Path below the log's prefix: `tile/0/x001/x234/067`, partial ones in `….p/W`. */
export function tilePath(tile: TileName): string {
  const groups: string[] = [];
  for (let rest = tile.index; ; ) {
    groups.unshift(String(rest % 1000).padStart(3, '0'));
    rest = Math.floor(rest / 1000);
    if (rest === 0) break;
  }
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${tile.level}/${path}${tile.width < tileWidth ? `.p/${tile.width}` : ''}`;
}

/** How many hashes (or, at level 0 and for bundles, entries) a level holds in a tree of `size` leaves. */
export function levelSize(level: number, size: number): number {
  return Math.floor(size / tileWidth ** level);
}

/** The tile `index` of a level as a tree of `size` leaves has it. */
export function tileAt(level: number | 'entries', index: number, size: number): TileName {
  const count = levelSize(level === 'entries' ? 0 : level, size);
  return { level, index, width: Math.min(tileWidth, count - index * tileWidth) };
}

/** Splits a tile's bytes into its hashes; null when it is not `width` hashes long. */
export function parseTile(bytes: Buffer, width: number): Buffer[] | null {
  if (bytes.length !== width * hashBytes) return null;
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * hashBytes, (i + 1) * hashBytes));
}

/** Hashes of perfect subtrees out of tiles. */
export function hashesOf(readTile: (level: number, index: number) => readonly Buffer[]): HashAt {
  return (level, index) => {
    const tileLevel = Math.floor(level / tileHeight);
    const width = 2 ** (level % tileHeight);
    const first = index * width;
    const hashes = readTile(tileLevel, Math.floor(first / tileWidth));
    const start = first % tileWidth;
    return hashPerfect(hashes.slice(start, start + width));
  };
}

/** An entry bundle: each entry behind its length, u16 big-endian. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.allocUnsafe(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** Null when the bytes are not `width` whole entries. */
export function parseBundle(bytes: Buffer, width: number): Buffer[] | null {
  const entries: Buffer[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) return null;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return at === bytes.length && entries.length === width ? entries : null;
}
