import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Coding, createDecoder, decodeBody, parseCoding } from '../src/index.ts';

const encode: Record<Coding, (body: Buffer) => Buffer> = {
  identity: (body) => body,
  gzip: (body) => gzipSync(body),
  // The strongest setting takes seconds for a few MiB.
  br: (body) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  zstd: (body) => zstdCompressSync(body),
};
const codings: readonly Coding[] = ['identity', 'gzip', 'br', 'zstd'];
const coded = codings.filter((coding) => coding !== 'identity');
const mib = 1024 * 1024;

describe('Content-Encoding', () => {
  test.each<[string[], Coding]>([
    [[], 'identity'],
    [[''], 'identity'],
    [['identity'], 'identity'],
    [['GZIP'], 'gzip'],
    [[' x-gzip '], 'gzip'],
    [['br'], 'br'],
    [['zstd'], 'zstd'],
  ])('%j is %s', (values, expected) => expect(parseCoding(values)).toBe(expected));

  test.each([
    [['deflate']],
    [['gzip, gzip']],
    [['gzip', 'gzip']],
    [['gzip,']],
    [['compress']],
    [['br gzip']],
    [['identity', 'gzip']],
    [['gzip\0']],
  ])('%j is not read', (values) => expect(parseCoding(values)).toBeNull());
});

describe.each(codings)('%s', (coding) => {
  test('gives back what was encoded, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5000 }),
        fc.array(fc.nat(5000), { maxLength: 5 }),
        async (bytes, cuts) => {
          const body = Buffer.from(bytes);
          const sent = encode[coding](body);
          const decoder = createDecoder(coding, mib);
          const parts: Buffer[] = [];
          decoder.on('data', (part: Buffer) => parts.push(part));
          const ended = new Promise((resolve, reject) => decoder.on('end', resolve).on('error', reject));
          const edges = [0, ...cuts.map((cut) => Math.min(cut, sent.length)).sort((a, b) => a - b), sent.length];
          for (let i = 1; i < edges.length; i++) decoder.write(sent.subarray(edges[i - 1], edges[i]));
          decoder.end();
          await ended;
          expect(Buffer.concat(parts).equals(body)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('one byte over the cap is refused, the cap itself is not', async () => {
    const body = Buffer.alloc(1000, 'x');
    expect((await decodeBody(coding, encode[coding](body), 1000)).length).toBe(1000);
    await expect(decodeBody(coding, encode[coding](body), 999)).rejects.toMatchObject({ code: 'coding-too-large' });
  });

  test('a large body flows with backpressure', async () => {
    const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `${i * 7919} `).join(''));
    expect((await decodeBody(coding, encode[coding](body), 64 * mib)).equals(body)).toBe(true);
  });
});

describe.each(coded)('hostile %s', (coding) => {
  test('a bomb is stopped by its ratio, long before the cap', async () => {
    const bomb = encode[coding](Buffer.alloc(50 * mib));
    await expect(decodeBody(coding, bomb, 1024 * mib)).rejects.toMatchObject({ code: 'coding-too-large' });
  });

  test('a small body may expand freely up to 64 KiB', async () => {
    const small = encode[coding](Buffer.alloc(64 * 1024));
    expect((await decodeBody(coding, small, mib)).length).toBe(64 * 1024);
  });

  test('cut, changed and trailing bytes are refused', async () => {
    const whole = encode[coding](Buffer.from('some text that is long enough to be compressed, some text'));
    await expect(decodeBody(coding, whole.subarray(0, -3), mib)).rejects.toMatchObject({ code: 'coding-malformed' });
    await expect(decodeBody(coding, Buffer.concat([whole, Buffer.from('GET / HTTP/1.1')]), mib)).rejects.toMatchObject({
      code: 'coding-malformed',
    });
    await expect(decodeBody(coding, Buffer.from('not coded at all'), mib)).rejects.toMatchObject({
      code: 'coding-malformed',
    });
  });

  test('a second message behind the first is refused: other readers stop after one', async () => {
    const twice = Buffer.concat([encode[coding](Buffer.from('one')), encode[coding](Buffer.from('two'))]);
    await expect(decodeBody(coding, twice, mib)).rejects.toMatchObject({ code: 'coding-malformed' });
  });

  test('an empty body is empty', async () => {
    expect((await decodeBody(coding, Buffer.alloc(0), mib)).length).toBe(0);
  });

  test('any bytes give bytes or a refusal of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const outcome = await decodeBody(coding, Buffer.from(bytes), 1000).then(
          (out) => out.length <= 1000,
          (error: { code: string }) => ['coding-malformed', 'coding-too-large'].includes(error.code),
        );
        expect(outcome).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
