import {
  block,
  data,
  errorCode,
  type Fields,
  flag,
  frame,
  frameType,
  goaway,
  headers,
  indexed,
  indexedLiteral,
  ping,
  repeat,
  reset,
  settings,
  windowUpdate,
} from './frames.ts';

/** What a hostile server sends behind its SETTINGS, and the code that the exchange must end with. */
export interface HostileH2Answer {
  /** Unique in its list. */
  readonly name: string;
  readonly bytes: (stream: number) => Buffer;
  readonly code: string;
}

const ok: Fields = [[':status', '200']];
const head = (stream: number, ...fields: Fields): Buffer => headers(stream, [...ok, ...fields], { end: false });
const protocol = 'upstream-protocol';

function longHead(stream: number, bytes: Buffer): Buffer {
  const count = Math.ceil(bytes.length / 16_384);
  return repeat(count, (i) => {
    const flags = (i === 0 ? flag.endStream : 0) | (i === count - 1 ? flag.endHeaders : 0);
    const type = i === 0 ? frameType.headers : frameType.continuation;
    return frame(type, flags, stream, bytes.subarray(i * 16_384, (i + 1) * 16_384));
  });
}

/** Nothing of these may become an answer. */
export const h2AnswerRows: readonly HostileH2Answer[] = [
  { name: 'no :status', bytes: (s) => headers(s, [['x', 'y']]), code: protocol },
  { name: ':status of two digits', bytes: (s) => headers(s, [[':status', '99']]), code: protocol },
  { name: ':status 600', bytes: (s) => headers(s, [[':status', '600']]), code: protocol },
  { name: ':status 101', bytes: (s) => headers(s, [[':status', '101']], { end: false }), code: protocol },
  { name: 'two :status', bytes: (s) => headers(s, [...ok, [':status', '404']]), code: protocol },
  { name: ':path in an answer', bytes: (s) => headers(s, [...ok, [':path', '/']]), code: protocol },
  { name: 'DATA before a head', bytes: (s) => data(s, 'x'), code: protocol },
  { name: 'connection field', bytes: (s) => headers(s, [...ok, ['connection', 'close']]), code: protocol },
  {
    name: 'transfer-encoding field',
    bytes: (s) => headers(s, [...ok, ['transfer-encoding', 'chunked']]),
    code: protocol,
  },
  { name: 'upper case in a name', bytes: (s) => headers(s, [...ok, ['X-A', 'v']]), code: protocol },
  {
    name: 'two content-length',
    bytes: (s) => headers(s, [...ok, ['content-length', '1'], ['content-length', '2']]),
    code: protocol,
  },
  {
    name: '129 fields',
    bytes: (s) => headers(s, [...ok, ...Array.from({ length: 129 }, (_, i) => [`x-${i}`, 'v'] as const)]),
    code: protocol,
  },
  {
    name: 'header with 16,000 fields',
    bytes: (s) => longHead(s, Buffer.concat([block(ok), repeat(16_000, () => block([['a', '']]))])),
    code: protocol,
  },
  {
    name: 'head of 33 KiB without acknowledging our limit',
    bytes: (s) => longHead(s, block([...ok, ['a', 'x'.repeat(33 * 1024)]])),
    code: protocol,
  },
  {
    name: 'HPACK bomb',
    bytes: (s) =>
      longHead(
        s,
        Buffer.concat([block(ok), indexedLiteral('x', 'y'.repeat(3_900)), repeat(12_000, () => indexed(62))]),
      ),
    code: protocol,
  },
  {
    name: '9 interim answers',
    bytes: (s) => Buffer.concat([repeat(9, () => headers(s, [[':status', '103']], { end: false })), headers(s, ok)]),
    code: protocol,
  },
  {
    name: 'push',
    bytes: (s) =>
      Buffer.concat([
        frame(frameType.pushPromise, flag.endHeaders, s, Buffer.concat([Buffer.from([0, 0, 0, 2]), block(ok)])),
        headers(s, ok),
      ]),
    code: protocol,
  },
  {
    name: '9 CONTINUATION frames',
    bytes: (s) =>
      Buffer.concat([
        frame(frameType.headers, flag.endStream, s, block(ok)),
        repeat(9, () => frame(frameType.continuation, 0, s)),
      ]),
    code: protocol,
  },
  { name: 'window over 2^31', bytes: () => windowUpdate(0, 2 ** 31 - 1), code: protocol },
  { name: 'PING flood', bytes: () => repeat(5_000, () => ping()), code: protocol },
  { name: 'SETTINGS flood', bytes: () => repeat(5_000, () => settings()), code: protocol },
  { name: 'WINDOW_UPDATE flood', bytes: () => repeat(5_000, () => windowUpdate(0, 1)), code: protocol },
  { name: 'unknown frames', bytes: () => repeat(5_000, () => frame(frameType.unknown, 0, 0)), code: protocol },
  {
    name: 'empty DATA flood',
    bytes: (s) => Buffer.concat([repeat(5_000, () => data(s, '', { end: false }))]),
    code: protocol,
  },
  { name: 'RST_STREAM', bytes: (s) => reset(s, errorCode.cancel), code: 'upstream-reset' },
  {
    name: 'RST_STREAM of a server that has enough',
    bytes: (s) => reset(s, errorCode.enhanceYourCalm),
    code: 'upstream-reset',
  },
  {
    name: 'RST_STREAM of a server that we broke the rules for',
    bytes: (s) => reset(s, errorCode.protocol),
    code: 'upstream-reset',
  },
  {
    name: 'HTTP/1.1 in the middle',
    bytes: () => Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    code: protocol,
  },
];

/** A sound head, and a body that must end in an error, never as if it were whole. */
export const h2BrokenBodies: readonly Omit<HostileH2Answer, 'code'>[] = [
  {
    name: 'RST_STREAM without an error',
    bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), reset(s, errorCode.none)]),
  },
  {
    name: 'RST_STREAM CANCEL',
    bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), reset(s, errorCode.cancel)]),
  },
  {
    name: 'RST_STREAM INTERNAL_ERROR',
    bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), reset(s, errorCode.internal)]),
  },
  { name: 'shorter than its length', bytes: (s) => Buffer.concat([head(s, ['content-length', '9']), data(s, 'abc')]) },
  { name: 'longer than its length', bytes: (s) => Buffer.concat([head(s, ['content-length', '2']), data(s, 'abc')]) },
  {
    name: 'GOAWAY in the middle',
    bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), goaway(0, errorCode.none)]),
  },
  { name: 'a second head', bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), head(s)]) },
  {
    name: 'trailers with a pseudo-header',
    bytes: (s) => Buffer.concat([head(s), data(s, 'abc', { end: false }), headers(s, ok)]),
  },
];
