import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib';

/** A request body that costs more than it looks; built when asked for, because some are large. */
export interface HostileBody {
  readonly name: string;
  readonly headers: readonly string[];
  readonly bytes: () => Buffer;
  readonly status: number;
  /** null: served, and the server gets these very bytes. */
  readonly code: string | null;
}

const zeros = (mebibytes: number): Buffer => Buffer.alloc(mebibytes * 1024 * 1024);
const brotli = (body: Buffer): Buffer =>
  brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 24 } });
/** RFC 8878 §3.1.1: a frame of one byte whose header asks whoever decodes it for a window of 128 MiB. */
const wideWindow = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x09, 0x00, 0x00, 0x78]);

const expands = { status: 413, code: 'body-expands' } as const;
const unreadable = { status: 400, code: 'body-unreadable' } as const;
const unknown = { status: 415, code: 'coding-unknown' } as const;

export const codedBombs: readonly HostileBody[] = [
  { name: 'gzip, 50 MiB of zeros', headers: ['Content-Encoding: gzip'], bytes: () => gzipSync(zeros(50)), ...expands },
  {
    name: 'gzip, 4 MiB: below the cap',
    headers: ['Content-Encoding: gzip'],
    bytes: () => gzipSync(zeros(4)),
    ...expands,
  },
  { name: 'x-gzip, 50 MiB', headers: ['Content-Encoding: x-gzip'], bytes: () => gzipSync(zeros(50)), ...expands },
  { name: 'br, 50 MiB of zeros', headers: ['Content-Encoding: br'], bytes: () => brotli(zeros(50)), ...expands },
  {
    name: 'zstd, 50 MiB of zeros',
    headers: ['Content-Encoding: zstd'],
    bytes: () => zstdCompressSync(zeros(50)),
    ...expands,
  },
  {
    name: 'zstd with a window of 128 MiB',
    headers: ['Content-Encoding: zstd'],
    bytes: () => wideWindow,
    ...unreadable,
  },
  { name: 'gzip in gzip', headers: ['Content-Encoding: gzip, gzip'], bytes: () => gzipSync(gzipSync('a')), ...unknown },
  {
    name: 'gzip in gzip, two lines',
    headers: ['Content-Encoding: gzip', 'Content-Encoding: gzip'],
    bytes: () => gzipSync(gzipSync('a')),
    ...unknown,
  },
  { name: 'br in gzip', headers: ['Content-Encoding: br, gzip'], bytes: () => gzipSync(brotli(zeros(1))), ...unknown },
  { name: 'deflate', headers: ['Content-Encoding: deflate'], bytes: () => Buffer.from('x'), ...unknown },
  {
    name: 'gzip, two members',
    headers: ['Content-Encoding: gzip'],
    bytes: () => Buffer.concat([gzipSync('one'), gzipSync('two')]),
    ...unreadable,
  },
  {
    name: 'zstd, a second frame',
    headers: ['Content-Encoding: zstd'],
    bytes: () => Buffer.concat([zstdCompressSync('one'), zstdCompressSync('two')]),
    ...unreadable,
  },
  {
    name: 'gzip with a request behind',
    headers: ['Content-Encoding: gzip'],
    bytes: () => Buffer.concat([gzipSync('one'), Buffer.from('GET /smuggled HTTP/1.1\r\n\r\n')]),
    ...unreadable,
  },
  {
    name: 'gzip that ends early',
    headers: ['Content-Encoding: gzip'],
    bytes: () => gzipSync('one and two and three').subarray(0, -4),
    ...unreadable,
  },
];

const json = (name: string, bytes: () => string | Buffer): HostileBody => {
  return { name, headers: ['Content-Type: application/json'], bytes: () => Buffer.from(bytes()), ...unreadable };
};

/** JSON that exhausts a parser, or that two parsers read differently. */
export const jsonBombs: readonly HostileBody[] = [
  json('65 arrays deep', () => '['.repeat(65) + ']'.repeat(65)),
  json('65 objects deep', () => `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`),
  json('a million arrays deep', () => '['.repeat(1_000_000)),
  json('a million arrays and objects deep', () => '[{"a":'.repeat(1_000_000)),
  json('more than 500,000 values', () => `[${'1,'.repeat(500_001)}1]`),
  json('the same key twice', () => '{"a":1,"b":2,"a":3}'),
  json('the same key, escaped', () => '{"a":1,"\\u0061":2}'),
  json('a byte order mark', () => '\ufeff{}'),
  json('two documents', () => '{}{}'),
  json('UTF-16', () => Buffer.from('{}', 'utf16le')),
  json('an overlong form of "', () => Buffer.from([0x22, 0xc0, 0xa2, 0x22])),
  json('a raw control character', () => '"a\u0000b"'),
  json('a comment', () => '{"a":1/*,"a":2*/}'),
  json('a final comma', () => '[1,]'),
  json('NaN', () => '[NaN]'),
  json('gzip in disguise', () => gzipSync('{}')),
];

/** What nothing of ours parses is forwarded as it is and costs one hash. */
export const opaqueBodies: readonly HostileBody[] = [
  {
    name: 'multipart, 1,000 levels',
    headers: ['Content-Type: multipart/mixed; boundary=b0'],
    bytes: () =>
      Buffer.from(
        Array.from(
          { length: 1000 },
          (_, i) => `--b${i}\r\nContent-Type: multipart/mixed; boundary=b${i + 1}\r\n\r\n`,
        ).join(''),
      ),
    status: 200,
    code: null,
  },
  {
    name: 'a form of 100,000 fields',
    headers: ['Content-Type: application/x-www-form-urlencoded'],
    bytes: () => Buffer.from('a=b&'.repeat(100_000)),
    status: 200,
    code: null,
  },
  {
    name: 'XML with a billion laughs',
    headers: ['Content-Type: application/xml'],
    bytes: () => Buffer.from('<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'),
    status: 200,
    code: null,
  },
  {
    name: 'JSON, 64 arrays deep',
    headers: ['Content-Type: application/json'],
    bytes: () => Buffer.from('['.repeat(64) + ']'.repeat(64)),
    status: 200,
    code: null,
  },
  {
    name: 'a JSON number of 100,000 digits',
    headers: ['Content-Type: application/json'],
    bytes: () => Buffer.from(`[1${'0'.repeat(100_000)}]`),
    status: 200,
    code: null,
  },
];
