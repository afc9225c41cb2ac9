import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partialsOf } from '../src/tree/files.ts';
import { encodeBundle, parseBundle, parseTile, tileAt, tilePath } from '../src/tree/tile.ts';

describe('tile', () => {
  it('has the path that tlog-tiles gives it', () => {
    expect(tilePath({ level: 0, index: 0, width: 256 })).toBe('tile/0/000');
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 2, index: 1000, width: 3 })).toBe('tile/2/x001/000.p/3');
    expect(tilePath({ level: 'entries', index: 999, width: 1 })).toBe('tile/entries/999.p/1');
  });

  it('is partial where the tree ends, and only there', () => {
    expect(partialsOf(0)).toEqual([]);
    expect(partialsOf(256)).toEqual([{ level: 1, index: 0, width: 1 }]);
    expect(partialsOf(70_000).map(tilePath)).toEqual([
      'tile/0/273.p/112',
      'tile/entries/273.p/112',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect(tileAt('entries', 273, 70_000).width).toBe(112);
    expect(tileAt(0, 272, 70_000).width).toBe(256);
  });

  it('is as many hashes as its name says', () => {
    expect(parseTile(Buffer.alloc(64, 1), 2)).toHaveLength(2);
    expect(parseTile(Buffer.alloc(63), 2)).toBeNull();
    expect(parseTile(Buffer.alloc(96), 2)).toBeNull();
  });
});

describe('entry bundle', () => {
  it('comes back whole, and only with its number of entries', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }), (entries) => {
        const bundle = encodeBundle(entries);
        expect(parseBundle(bundle, entries.length)?.map((entry) => [...entry])).toEqual(
          entries.map((entry) => [...entry]),
        );
        expect(parseBundle(bundle, entries.length + 1)).toBeNull();
        expect(parseBundle(Buffer.concat([bundle, Buffer.from([0])]), entries.length)).toBeNull();
        if (bundle.length > 0) expect(parseBundle(bundle.subarray(0, -1), entries.length)).toBeNull();
      }),
    );
  });
});
