import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemRandom } from '@cordon/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGatewayMessage } from '../../src/supervisor/gateway-message.ts';
import { type Manifest, sessionFolder, updateManifest } from '../../src/supervisor/manifest.ts';
import { NameLocks } from '../../src/supervisor/name-lock.ts';
import { OutputRing } from '../../src/supervisor/ring.ts';
import { UidPool } from '../../src/supervisor/uid-pool.ts';

describe('output ring', () => {
  test('holds the end of what was written, by offset, within its bytes', () => {
    const write = fc.record({
      kind: fc.constantFrom('stdout' as const, 'stderr' as const),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 3000 }),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 60 }), fc.nat(200_000), (writes, from) => {
        const ring = new OutputRing(20_000);
        for (const { kind, bytes } of writes) ring.append(kind, bytes);
        const all = Buffer.concat(writes.map((one) => one.bytes));
        const start = Math.min(Math.max(from, ring.start), all.length);
        const kept = ring.from(start);
        expect(Buffer.concat(kept.map((chunk) => chunk.bytes)).equals(all.subarray(start))).toBe(true);
        expect(
          kept.every(
            (chunk, i) => i === 0 || chunk.offset === (kept[i - 1]?.offset ?? 0) + (kept[i - 1]?.bytes.length ?? 0),
          ),
        ).toBe(true);
        expect(ring.end - ring.start).toBeLessThanOrEqual(20_000);
      }),
    );
  });

  test('a million single bytes cost no more than their limit', () => {
    const ring = new OutputRing();
    for (let i = 0; i < 1_000_000; i++) ring.append(i % 2 === 0 ? 'stdout' : 'stderr', Uint8Array.of(i % 256));
    expect(ring.from(0).length).toBeLessThan(1100);
  });
});

describe('uid pool', () => {
  const random = { bytes: (count: number) => new Uint8Array(count) };
  const free = { take: () => ({ release: () => undefined }) };

  test('gives no uid twice while it is taken, resting or condemned', () => {
    let now = 0;
    const pool = new UidPool({ min: 100, count: 3 }, { monotonic: () => now }, random, free);
    const [a, b, c] = [pool.take(), pool.take(), pool.take()];
    expect(new Set([a, b, c])).toEqual(new Set([100, 101, 102]));
    expect(() => pool.take()).toThrow(expect.objectContaining({ code: 'uids-exhausted' }));
    pool.release(a);
    pool.condemn(b);
    pool.release(c);
    pool.condemn(c);
    now = 59_999;
    expect(() => pool.take()).toThrow();
    now = 60_001;
    expect(pool.take()).toBe(a);
    expect(() => pool.take()).toThrow();
  });

  test('two supervisors of one host never share a group of uids', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cordon-locks-'));
    try {
      let now = 0;
      const range = { min: 25_600, count: 512 };
      const pool = () =>
        new UidPool(range, { monotonic: () => now }, random, new NameLocks(join(folder, 'lock'), systemRandom));
      const [mine, theirs] = [pool(), pool()];
      const [a, b] = [mine.take(), theirs.take()];
      expect([a, b].map((uid) => Math.floor(uid / 256))).toEqual([100, 101]);
      expect(() => pool().take()).toThrow(expect.objectContaining({ code: 'uids-exhausted' }));
      // Resting is held as well.
      mine.release(a);
      expect(() => pool().take()).toThrow();
      now = 60_001;
      for (let taken = 0; taken < 255; taken++) theirs.take();
      expect(() => theirs.take()).toThrow(expect.objectContaining({ code: 'uids-exhausted' }));
      expect(Math.floor(mine.take() / 256)).toBe(100);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a secret that others can read is refused, and two that come first read the same', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cordon-locks-'));
    try {
      const file = join(folder, 'lock');
      const [first, second] = [new NameLocks(file, systemRandom), new NameLocks(file, systemRandom)];
      const lock = first.take('x');
      expect(lock).not.toBeNull();
      expect(second.take('x')).toBeNull();
      expect(readdirSync(folder)).toEqual(['lock']);
      lock?.release();
      chmodSync(file, 0o644);
      expect(() => new NameLocks(file, systemRandom)).toThrow(expect.objectContaining({ code: 'folder-unsafe' }));
      rmSync(file);
      symlinkSync('/etc/hostname', file);
      expect(() => new NameLocks(file, systemRandom)).toThrow(expect.objectContaining({ code: 'folder-unsafe' }));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the manifest of a session', () => {
  test('leaves nothing beside it when it cannot be replaced', () => {
    const home = mkdtempSync(join(tmpdir(), 'manifest-'));
    try {
      const session = 'ses_01arz3ndektsv4rrffq69g5fav';
      // What stands there cannot be replaced by a file, as on a disk that takes nothing.
      mkdirSync(join(sessionFolder(home, session), 'manifest.json', 'held'), { recursive: true });
      expect(() => updateManifest(home, { session } as Manifest)).toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
      expect(readdirSync(sessionFolder(home, session))).toEqual(['manifest.json']);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe('what a gateway says', () => {
  test('is taken in the shapes that there are, and in no other', () => {
    expect(parseGatewayMessage({ type: 'ready', boot: 'b', more: 1 })).toEqual({ type: 'ready', boot: 'b' });
    expect(parseGatewayMessage({ type: 'serving', session: 's', sockets: 6 })).toMatchObject({ sockets: 6 });
    expect(parseGatewayMessage({ type: 'pong', n: 1 })).toEqual({ type: 'pong', n: 1 });
    const wrong = [
      null,
      1,
      'ready',
      [],
      {},
      { type: 'ready' },
      { type: 'ready', boot: 'x'.repeat(201) },
      { type: 'serving', session: 's', sockets: '6' },
      { type: 'closed', session: {} },
      { type: 'pong', n: 0.5 },
      { type: 'kill' },
    ];
    for (const one of wrong) expect(parseGatewayMessage(one)).toBeNull();
  });
});
