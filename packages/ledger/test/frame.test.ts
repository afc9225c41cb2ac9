import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCanonical, parseEntry } from '../src/entry.ts';
import { encodeFrame, frameHeaderBytes, readFrame } from '../src/frame.ts';
import { limits } from '../src/limits.ts';

const entry = {
  v: 'entry/1',
  writer: 'gw',
  wseq: 1,
  prev: `sha256:${'0'.repeat(64)}`,
  tenant: 'local',
  session: null,
  seq: null,
  at: '2026-01-01T00:00:00.000Z',
  type: 'heartbeat',
  data: {},
  seal: null,
};

describe('frame', () => {
  it('has the layout that the format says', () => {
    const frame = encodeFrame(Buffer.from('ab'), 2 ** 32 + 5);
    expect(frame.toString('hex')).toBe(`00000002${frame.subarray(4, 8).toString('hex')}00000001000000056162`);
    // CRC-32 (IEEE 802.3) of 00000002 0000000100000005 6162, computed by zlib of another language.
    expect(frame.readUInt32BE(4)).toBe(0xf63153cb);
  });

  it('comes back whole, and every changed byte is noticed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.maxSafeNat(),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (bytes, synced, at, flip) => {
          const frame = encodeFrame(bytes, synced);
          const read = readFrame(frame, 0);
          expect(read).toMatchObject({ kind: 'frame', synced, next: frame.length });
          expect(read.kind === 'frame' && Buffer.compare(read.entry, bytes)).toBe(0);
          const changed = Buffer.from(frame);
          changed[at % frame.length] = (changed[at % frame.length] ?? 0) ^ flip;
          expect(readFrame(changed, 0).kind).not.toBe('frame');
        },
      ),
    );
  });

  it('waits for the rest of a frame and refuses what can be none', () => {
    const frame = encodeFrame(Buffer.from('entry'), 0);
    for (let end = 0; end < frame.length; end++) {
      expect(readFrame(frame.subarray(0, end), 0)).toEqual({ kind: 'incomplete' });
    }
    expect(readFrame(Buffer.alloc(64), 0).kind).toBe('bad');
    const long = Buffer.alloc(frameHeaderBytes);
    long.writeUInt32BE(limits.entryBytesMax + 1);
    expect(readFrame(long, 0).kind).toBe('bad');
    expect(readFrame(Buffer.alloc(64, 0xff), 0).kind).toBe('bad');
  });

  it('never throws on any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readFrame(Buffer.from(bytes), 0)));
  });
});

describe('parseEntry', () => {
  const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

  it('takes an entry and nothing that only looks like one', () => {
    expect(parseEntry(text(entry))).toEqual(entry);
    const wrong: unknown[] = [
      null,
      [],
      'entry',
      { ...entry, extra: 1 },
      { ...entry, v: 'entry/2' },
      { ...entry, wseq: 0 },
      { ...entry, wseq: 1.5 },
      { ...entry, wseq: '1' },
      { ...entry, prev: 'sha256:00' },
      { ...entry, seq: 1 },
      { ...entry, session: 'ses_a', seq: 0 },
      { ...entry, at: 'today' },
      { ...entry, data: [] },
      { ...entry, data: null },
      { ...entry, seal: { digest: entry.prev, bytes: -1, key: 'none' } },
      { ...entry, seal: { digest: entry.prev, bytes: 1 } },
      Object.fromEntries(Object.entries(entry).filter(([name]) => name !== 'tenant')),
    ];
    for (const value of wrong) expect(parseEntry(text(value)), JSON.stringify(value)).toBeNull();
    expect(parseEntry(Buffer.from([0xff, 0xfe]))).toBeNull();
  });

  it('knows the one canonical form', () => {
    const ordered = Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));
    const canonical = JSON.stringify(ordered);
    const read = (bytes: string) => {
      const parsed = parseEntry(Buffer.from(bytes));
      return parsed !== null && isCanonical(parsed, Buffer.from(bytes));
    };
    expect(read(canonical)).toBe(true);
    expect(read(JSON.stringify(entry))).toBe(false);
    expect(read(` ${canonical}`)).toBe(false);
    expect(read(canonical.replace('"data":{}', '"data":{},"data":{}'))).toBe(false);
    expect(read(canonical.replace('local', '\\u006cocal'))).toBe(false);
    expect(read(canonical.replace('"wseq":1', '"wseq":1.0'))).toBe(false);
    expect(read(canonical.replace('"data":{}', '"data":{"10":1,"9":2,"a":[{"b":null}]}'))).toBe(true);
    for (const data of [
      '{"9":2,"10":1}',
      '{"b":1,"a":2}',
      '{"n":0.5}',
      '{"n":-0}',
      '{"n":1e2}',
      '{"t":"\\ud800"}',
      '{"t":"\\/"}',
    ]) {
      expect(read(canonical.replace('"data":{}', `"data":${data}`)), data).toBe(false);
    }
    expect(read(canonical.replace('"data":{}', '"data":{"n":9007199254740993}'))).toBe(false);
  });
});
