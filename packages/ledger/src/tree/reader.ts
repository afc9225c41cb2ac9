import type { Entry } from '@cordon/protocol';
import { parseEntry } from '../entry.ts';
import { ledgerError } from '../error.ts';
import { limits } from '../limits.ts';
import { readTileFile } from './files.ts';
import type { HashAt } from './merkle.ts';
import { hashesOf, parseBundle, parseTile, tileAt, tilePath, tileWidth } from './tile.ts';

/** Reads the tiles of a tree of one size; finished tiles are cached, since they never change. */
export class TileReader {
  readonly #directory: string;
  readonly #tiles = new Map<string, readonly Buffer[]>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws CordonError `ledger-damaged` */
  tile(level: number | 'entries', index: number, size: number): readonly Buffer[] {
    const name = tileAt(level, index, size);
    const path = tilePath(name);
    const cached = this.#tiles.get(path);
    if (cached !== undefined) return cached;
    const bytes = readTileFile(this.#directory, name);
    const parsed =
      bytes === null ? null : level === 'entries' ? parseBundle(bytes, name.width) : parseTile(bytes, name.width);
    if (parsed === null) throw ledgerError('ledger-damaged', `${path} is missing or not what its name says`);
    if (name.width === tileWidth) this.#remember(path, parsed);
    return parsed;
  }

  hashAt(size: number): HashAt {
    return hashesOf((level, index) => this.tile(level, index, size));
  }

  /** Entries from `from` on, below `to`. @throws CordonError `ledger-damaged` */
  *entries(from: number, to: number, size: number): Generator<{ index: number; entry: Entry; bytes: Buffer }> {
    for (let index = from; index < to; ) {
      const bundle = this.tile('entries', Math.floor(index / tileWidth), size);
      for (const bytes of bundle.slice(index % tileWidth, (index % tileWidth) + to - index)) {
        const entry = parseEntry(bytes);
        if (entry === null) throw ledgerError('ledger-damaged', `the leaf ${index} is no entry`);
        yield { index, entry, bytes };
        index += 1;
      }
    }
  }

  #remember(path: string, hashes: readonly Buffer[]): void {
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size >= limits.tileCacheMax && oldest !== undefined) this.#tiles.delete(oldest);
    this.#tiles.set(path, hashes);
  }
}
