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
  hello,
  indexed,
  indexedLiteral,
  ping,
  preface,
  repeat,
  reset,
  settings,
  settingsAck,
  tableSize,
  windowUpdate,
} from './frames.ts';

import {
  answer,
  ask,
  askWith,
  ends,
  type HostileFrames,
  longHead,
  malformed,
  opened,
  post,
  pseudo,
  resets,
  start,
} from './http2-request.ts';

const many = (count: number): Fields => Array.from({ length: count }, (_, i) => [`x-${i}`, 'v']);

/** Every row of the head check of HTTP/1.1 that HTTP/2 can say, and those that only HTTP/2 can. */
export const h2HeadRows: readonly HostileFrames[] = [
  // what nghttp2 lets through
  {
    name: 'host is not :authority',
    bytes: ask({}, ['host', 'evil.example.com']),
    end: answer(400, 'authority-mismatch'),
  },
  { name: ':scheme http', bytes: ask({ ':scheme': 'http' }), end: answer(400, 'target-form') },
  { name: ':scheme ftp', bytes: ask({ ':scheme': 'ftp' }), end: answer(400, 'target-form') },
  { name: 'fragment in :path', bytes: ask({ ':path': '/a#b' }), end: answer(400, 'target-not-canonical') },
  { name: 'backslash in :path', bytes: ask({ ':path': '/a\\..\\b' }), end: answer(400, 'target-not-canonical') },
  { name: 'byte over 0x7f in :path', bytes: ask({ ':path': '/caf\xe9' }), end: answer(400, 'target-not-canonical') },
  { name: 'encoded dot segment', bytes: ask({ ':path': '/a/%2e%2e/b' }), end: answer(400, 'target-not-canonical') },
  { name: 'encoded slash', bytes: ask({ ':path': '/a%2fb' }), end: answer(400, 'target-not-canonical') },
  { name: 'lower-case method', bytes: ask({ ':method': 'get' }), end: answer(405, 'method-not-allowed') },
  { name: 'TRACE', bytes: ask({ ':method': 'TRACE' }), end: answer(405, 'method-not-allowed') },
  {
    name: 'CONNECT',
    bytes: askWith((a) => [
      [':method', 'CONNECT'],
      [':authority', `${a}:443`],
    ]),
    end: answer(400, 'target-form'),
  },
  { name: 'byte over 0x7f in a value', bytes: ask({}, ['x-a', 'caf\xe9']), end: answer(400, 'header-not-ascii') },
  {
    name: 'override header',
    bytes: ask({}, ['x-http-method-override', 'DELETE']),
    end: answer(400, 'override-header'),
  },
  {
    name: 'two content-type',
    bytes: ask(post, ['content-type', 'text/plain'], ['content-type', 'application/json']),
    end: answer(400, 'malformed-request'),
  },
  { name: 'GET with a body', bytes: askWith((a) => pseudo(a), data(1, 'x')), end: answer(400, 'body-not-allowed') },
  {
    name: 'a length over the cap',
    bytes: askWith((a) => [...pseudo(a, post), ['content-length', '99999999999']], data(1, 'x', { end: false })),
    end: answer(413, 'body-too-large'),
  },
  { name: 'unknown expectation', bytes: ask(post, ['expect', 'tea']), end: answer(417, 'expectation-unknown') },
  { name: '129 fields', bytes: ask({}, ...many(129)), end: answer(431, 'head-too-large') },
  {
    name: ':path of 17 KiB',
    bytes: (a) => Buffer.concat([start, longHead(block(pseudo(a, { ':path': `/${'a'.repeat(17 * 1024)}` })))]),
    end: answer(414, 'target-too-long'),
  },
  {
    // Our SETTINGS are not acknowledged, so nghttp2 applies none of their limits.
    name: 'head of 33 KiB without acknowledging our limit',
    bytes: (a) => Buffer.concat([hello, longHead(block([...pseudo(a), ['a', 'x'.repeat(33 * 1024)]]))]),
    end: answer(431, 'head-too-large'),
  },
  // no coalescing: the connection is for one origin
  {
    name: 'another authority',
    bytes: ask({ ':authority': 'other.example.com' }),
    end: answer(421, 'misdirected-request'),
  },
  {
    name: 'an authority below',
    bytes: (a) => ask({ ':authority': `x.${a}` })(a),
    end: answer(421, 'misdirected-request'),
  },
  {
    name: 'another port',
    bytes: (a) => ask({ ':authority': `${a}:8443` })(a),
    end: answer(421, 'misdirected-request'),
  },
  {
    name: 'another authority by host alone',
    bytes: askWith((a) => [...pseudo(a).filter(([name]) => name !== ':authority'), ['host', 'other.example.com']]),
    end: answer(421, 'misdirected-request'),
  },
  {
    name: ':authority in another spelling',
    bytes: (a) => ask({ ':authority': `${a}.` })(a),
    end: answer(400, 'host-not-canonical'),
  },
  // what nghttp2 refuses by itself; kept so that a change of runtime shows
  { name: 'two host', bytes: (a) => ask({}, ['host', a], ['host', 'evil.example.com'])(a), end: malformed },
  {
    name: 'no authority at all',
    bytes: askWith((a) => pseudo(a).filter(([name]) => name !== ':authority')),
    end: malformed,
  },
  { name: 'empty :path', bytes: ask({ ':path': '' }), end: malformed },
  { name: ':path *', bytes: ask({ ':path': '*' }), end: malformed },
  { name: 'absolute :path', bytes: ask({ ':path': 'https://evil.example.com/' }), end: malformed },
  { name: 'space in :path', bytes: ask({ ':path': '/a b' }), end: malformed },
  { name: 'NUL in :path', bytes: ask({ ':path': '/a\0b' }), end: malformed },
  { name: 'CRLF in :path', bytes: ask({ ':path': '/a\r\nhost: evil.example.com' }), end: malformed },
  { name: 'space in :method', bytes: ask({ ':method': 'GE T' }), end: malformed },
  { name: 'userinfo in :authority', bytes: (a) => ask({ ':authority': `user@${a}` })(a), end: malformed },
  { name: 'two :path', bytes: ask({}, [':path', '/evil']), end: malformed },
  { name: ':status', bytes: ask({}, [':status', '200']), end: malformed },
  { name: 'unknown pseudo-header', bytes: ask({}, [':evil', '1']), end: malformed },
  {
    name: 'pseudo-header behind a field',
    bytes: askWith((a) => [...pseudo(a).slice(0, 3), ['x', 'y'], [':path', '/x']]),
    end: malformed,
  },
  { name: 'upper case in a name', bytes: ask({}, ['X-A', 'v']), end: malformed },
  {
    name: 'extended CONNECT (RFC 8441)',
    bytes: ask({ ':method': 'CONNECT' }, [':protocol', 'websocket']),
    end: malformed,
  },
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map((name) => ({
    name: `${name} field`,
    bytes: ask({}, [name, 'chunked']),
    end: malformed,
  })),
  { name: 'TE: gzip', bytes: ask({}, ['te', 'gzip']), end: malformed },
  {
    name: 'body shorter than content-length',
    bytes: askWith((a) => [...pseudo(a, post), ['content-length', '5']], data(1, 'abc')),
    end: malformed,
  },
  { name: 'content-length and no body', bytes: ask(post, ['content-length', '5']), end: malformed },
  {
    name: 'content-length twice',
    bytes: askWith((a) => [...pseudo(a, post), ['content-length', '3'], ['content-length', '3']], data(1, 'abc')),
    end: malformed,
  },
  {
    name: 'signed content-length',
    bytes: askWith((a) => [...pseudo(a, post), ['content-length', '+3']], data(1, 'abc')),
    end: malformed,
  },
  {
    name: 'trailers with a pseudo-header',
    bytes: askWith((a) => pseudo(a, post), data(1, 'abc', { end: false }), headers(1, [[':path', '/evil']])),
    end: malformed,
  },
  {
    name: 'a second head in the middle of the body',
    bytes: askWith((a) => pseudo(a, post), headers(1, [['x', 'y']], { end: false })),
    end: malformed,
  },
  {
    name: 'header with 16,000 fields',
    bytes: (a) =>
      Buffer.concat([start, longHead(Buffer.concat([block(pseudo(a)), repeat(16_000, () => block([['a', '']]))]))]),
    end: resets(errorCode.enhanceYourCalm),
  },
  {
    name: 'HPACK bomb: 12,000 references to 4 KiB',
    bytes: (a) => {
      const bomb = [block(pseudo(a)), indexedLiteral('x', 'y'.repeat(3_900)), repeat(12_000, () => indexed(62))];
      return Buffer.concat([start, longHead(Buffer.concat(bomb))]);
    },
    end: resets(errorCode.enhanceYourCalm),
  },
];

/** What breaks the rules of the connection itself. */
export const h2SessionRows: readonly HostileFrames[] = [
  {
    name: 'HTTP/1.1 instead of the preface',
    bytes: (a) => Buffer.from(`GET / HTTP/1.1\r\nHost: ${a}\r\n\r\n`),
    end: ends(errorCode.internal),
  },
  {
    name: 'a request before SETTINGS',
    bytes: (a) => Buffer.concat([preface, headers(1, pseudo(a))]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'SETTINGS with 100 entries',
    bytes: () => Buffer.concat([preface, settings(Array.from({ length: 100 }, (_, i) => [4, 65_535 + i]))]),
    end: ends(errorCode.enhanceYourCalm),
  },
  {
    name: 'an ACK that nobody waits for',
    bytes: () => Buffer.concat([start, settingsAck]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'a PING ACK that nobody waits for',
    bytes: () => Buffer.concat([start, ping(true)]),
    end: ends(errorCode.internal),
  },
  {
    name: 'body longer than content-length',
    bytes: askWith((a) => [...pseudo(a, post), ['content-length', '2']], data(1, 'abc')),
    end: ends(errorCode.internal),
  },
  {
    name: 'DATA behind the end of a stream',
    bytes: (a) => Buffer.concat([ask({ ':path': '/held' })(a), data(1, 'x')]),
    end: ends(errorCode.streamClosed),
  },
  {
    name: '9 CONTINUATION frames',
    bytes: (a) =>
      Buffer.concat([
        start,
        frame(frameType.headers, flag.endStream, 1, block(pseudo(a))),
        repeat(9, () => frame(frameType.continuation, 0, 1)),
      ]),
    end: ends(errorCode.internal),
  },
  {
    name: 'head of 70 KiB in one field',
    bytes: (a) => Buffer.concat([start, longHead(block([...pseudo(a), ['a', 'x'.repeat(70 * 1024)]]))]),
    end: ends(errorCode.compression),
  },
  {
    name: 'HPACK table of 1 GiB',
    bytes: (a) => Buffer.concat([start, longHead(Buffer.concat([tableSize(2 ** 30), block(pseudo(a))]))]),
    end: ends(errorCode.compression),
  },
  {
    name: 'HPACK reference to nothing',
    bytes: () => Buffer.concat([start, longHead(indexed(99))]),
    end: ends(errorCode.compression),
  },
  {
    name: 'window over 2^31',
    bytes: () => Buffer.concat([start, windowUpdate(0, 2 ** 31 - 1)]),
    end: ends(errorCode.flowControl),
  },
  {
    name: 'window update of 0',
    bytes: () => Buffer.concat([start, windowUpdate(0, 0)]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'frame over 16 KiB',
    bytes: () => Buffer.concat([start, frame(frameType.unknown, 0, 0, Buffer.alloc(16_385))]),
    end: ends(errorCode.frameSize),
  },
  {
    name: 'a stream with an even number',
    bytes: (a) => Buffer.concat([start, headers(2, pseudo(a))]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'RST_STREAM of a stream that never was',
    bytes: () => Buffer.concat([start, reset(99)]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'a push from the client',
    bytes: (a) =>
      Buffer.concat([
        opened(a),
        frame(frameType.pushPromise, flag.endHeaders, 1, Buffer.concat([Buffer.from([0, 0, 0, 2]), block(pseudo(a))])),
      ]),
    end: ends(errorCode.protocol),
  },
  {
    name: 'GOAWAY, and a request behind it',
    bytes: (a) => Buffer.concat([start, goaway(0, errorCode.none), headers(1, pseudo(a))]),
    end: { kind: 'closed' },
  },
  {
    name: 'GOAWAY again and again',
    bytes: () => Buffer.concat([start, repeat(500, () => goaway(0, errorCode.none))]),
    end: { kind: 'closed' },
  },
  {
    name: 'GOAWAY with an error',
    bytes: (a) => Buffer.concat([opened(a), goaway(0, errorCode.protocol)]),
    end: { kind: 'closed' },
  },
  {
    name: '10,000 streams at once',
    bytes: (a) => Buffer.concat([start, repeat(10_000, (i) => headers(1 + 2 * i, pseudo(a, post), { end: false }))]),
    end: ends(errorCode.enhanceYourCalm, 'http2-abuse'),
  },
  {
    name: '65 streams at once',
    bytes: (a) => Buffer.concat([start, repeat(65, (i) => headers(1 + 2 * i, pseudo(a, post), { end: false }))]),
    end: ends(errorCode.protocol),
  },
];
