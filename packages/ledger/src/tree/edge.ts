import { emptyRoot, hashChildren, hashPerfect } from './merkle.ts';
import { levelSize, tileWidth } from './tile.ts';

/** The right edge of a growing tree: per tile level the hashes of its unfinished tile. */
export class TreeEdge {
  readonly levels: Buffer[][];
  #size: number;

  constructor(size = 0, levels: Buffer[][] = []) {
    this.#size = size;
    this.levels = levels;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf; `onTile` gets every tile that it completes, lowest level first. */
  push(leaf: Buffer, onTile: (level: number, index: number, hashes: readonly Buffer[]) => void): void {
    this.#size += 1;
    let hashed = leaf;
    for (let level = 0; ; level++) {
      const row = this.levels[level] ?? [];
      this.levels[level] = row;
      row.push(hashed);
      if (row.length < tileWidth) return;
      onTile(level, levelSize(level, this.#size) / tileWidth - 1, row);
      hashed = hashPerfect(row);
      this.levels[level] = [];
    }
  }

  /** RFC 6962 root: perfect subtrees, joined from the smallest on the right to the largest on the left. */
  root(): Buffer {
    let root: Buffer | null = null;
    for (const row of this.levels) {
      for (let end = row.length, width = 1; end > 0; width *= 2) {
        if (end % (2 * width) === 0) continue;
        const subtree = hashPerfect(row.slice(end - width, end));
        root = root === null ? subtree : hashChildren(subtree, root);
        end -= width;
      }
    }
    return root ?? emptyRoot;
  }
}
