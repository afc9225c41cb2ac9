import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pieces } from '../src/http/pieces.ts';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

describe('a body in pieces', () => {
  it('is their bytes in their order, however it was cut', () => {
    const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(70_000)), { maxLength: 12 });
    fc.assert(
      fc.property(sizes, (each) => {
        const parts = each.map((size) => randomBytes(size));
        const pieces = new Pieces();
        for (const part of parts) pieces.add(part);
        expect(pieces.whole().equals(Buffer.concat(parts))).toBe(true);
        expect(pieces.count).toBe(parts.length);
      }),
    );
  });

  it('keeps none of the reads that they came in', () => {
    const read = Buffer.alloc(64 * 1024, 'a');
    const pieces = new Pieces();
    for (let at = 0; at < read.length; at++) pieces.add(read.subarray(at, at + 1));
    read.fill('b');
    expect(pieces.whole().equals(Buffer.alloc(64 * 1024, 'a'))).toBe(true);
  });
});

describe('a request', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start({ limits: { bodyPiecesMax: 100 } });
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  const ask = async (chunks: number): Promise<[number, unknown]> => {
    using client = await RawClient.to(rig.ports.proxy);
    const head = 'POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n';
    const { status, json } = await client.ask(`${head}${'1\r\nx\r\n'.repeat(chunks)}0\r\n\r\n`);
    return [status, json['code']];
  };

  it('whose body comes in more pieces than are taken is refused', async () => {
    expect(await ask(100)).toEqual([403, 'no-grant']);
    expect(await ask(101)).toEqual([413, 'body-too-large']);
  });
});
