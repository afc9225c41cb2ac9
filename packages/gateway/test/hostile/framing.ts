/** Requests with more than one reading, or none. `line` is the target, `host` the authority that the place expects. */
export interface HostileRequest {
  readonly name: string;
  readonly bytes: (target: string, host: string) => string | Buffer;
  readonly status: number;
  /** `null`: the parser answers before there is a head to name a code for, so any of ours will do. */
  readonly code: string;
}

const head = (target: string, host: string, ...lines: string[]): string =>
  [`POST ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n');
const get = (target: string, host: string, ...lines: string[]): string =>
  [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...lines, '', ''].join('\r\n');
const smuggled = (host: string): string => `GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** What node:http refuses by itself; kept here so that a change of runtime shows. */
export const parserRows: readonly HostileRequest[] = [
  {
    name: 'CL.TE',
    bytes: (t, h) => `${head(t, h, 'Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled(h)}`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'TE.CL',
    bytes: (t, h) =>
      `${head(t, h, 'Transfer-Encoding: chunked', 'Content-Length: 4')}5c\r\n${smuggled(h)}\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'two Content-Length',
    bytes: (t, h) => `${head(t, h, 'Content-Length: 1', 'Content-Length: 2')}xx`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'listed Content-Length',
    bytes: (t, h) => `${head(t, h, 'Content-Length: 1, 1')}x`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'signed Content-Length',
    bytes: (t, h) => `${head(t, h, 'Content-Length: +1')}x`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'hexadecimal Content-Length',
    bytes: (t, h) => `${head(t, h, 'Content-Length: 0x1')}x`,
    status: 400,
    code: 'malformed-request',
  },
  { name: 'bare LF', bytes: (t, h) => `GET ${t} HTTP/1.1\nHost: ${h}\n\n`, status: 400, code: 'malformed-request' },
  {
    name: 'bare CR in a value',
    bytes: (t, h) => get(t, h, 'X: a\rHost: evil.example.com'),
    status: 400,
    code: 'malformed-request',
  },
  { name: 'obs-fold', bytes: (t, h) => get(t, h, 'X: a', ' folded'), status: 400, code: 'malformed-request' },
  { name: 'space before colon', bytes: (t, h) => get(t, h, 'X : a'), status: 400, code: 'malformed-request' },
  { name: 'NUL in a value', bytes: (t, h) => get(t, h, 'X: a\0b'), status: 400, code: 'malformed-request' },
  { name: 'DEL in a value', bytes: (t, h) => get(t, h, 'X: a\x7fb'), status: 400, code: 'malformed-request' },
  {
    name: 'unknown method',
    bytes: (t, h) => `BREW ${t} HTTP/1.1\r\nHost: ${h}\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  { name: 'tab in the target', bytes: (t, h) => get(`${t}a\tb`, h), status: 400, code: 'malformed-request' },
  {
    name: 'chunk size with a sign',
    bytes: (t, h) => `${head(t, h, 'Transfer-Encoding: chunked')}+1\r\nx\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk size that overflows',
    bytes: (t, h) => `${head(t, h, 'Transfer-Encoding: chunked')}10000000000000001\r\nx\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk longer than said',
    bytes: (t, h) => `${head(t, h, 'Transfer-Encoding: chunked')}1\r\nxyz\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk extension flood',
    bytes: (t, h) => `${head(t, h, 'Transfer-Encoding: chunked')}1;${'a'.repeat(64 * 1024)}\r\nx\r\n0\r\n\r\n`,
    status: 413,
    code: 'body-too-large',
  },
  { name: 'HTTP/2 preface', bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400, code: 'malformed-request' },
  {
    name: 'head over 32 KiB',
    bytes: (t, h) => get(t, h, `X: ${'a'.repeat(33 * 1024)}`),
    status: 431,
    code: 'head-too-large',
  },
];

/** What node:http lets through (gateway.md §2.3), each refused by `http/head`. */
export const headRows: readonly HostileRequest[] = [
  { name: 'two Host', bytes: (t, h) => get(t, h, 'Host: evil.example.com'), status: 400, code: 'authority-mismatch' },
  { name: 'the same Host twice', bytes: (t, h) => get(t, h, `Host: ${h}`), status: 400, code: 'authority-mismatch' },
  { name: 'empty Host', bytes: (t) => get(t, ''), status: 400, code: 'authority-mismatch' },
  { name: 'no Host', bytes: (t) => `GET ${t} HTTP/1.1\r\n\r\n`, status: 400, code: 'authority-mismatch' },
  { name: 'Host with userinfo', bytes: (t, h) => get(t, `user@${h}`), status: 400, code: 'authority-mismatch' },
  { name: 'Host with a path', bytes: (t, h) => get(t, `${h}/x`), status: 400, code: 'authority-mismatch' },
  { name: 'Host with port 0', bytes: (t, h) => get(t, `${h}:0`), status: 400, code: 'authority-mismatch' },
  { name: 'HTTP/0.9', bytes: (t) => `GET ${t}\r\n\r\n`, status: 505, code: 'http-version' },
  {
    name: 'HTTP/2.0 in the line',
    bytes: (t, h) => `GET ${t} HTTP/2.0\r\nHost: ${h}\r\n\r\n`,
    status: 505,
    code: 'http-version',
  },
  {
    name: 'Transfer-Encoding on HTTP/1.0',
    bytes: (t, h) => `POST ${t} HTTP/1.0\r\nHost: ${h}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    status: 400,
    code: 'transfer-encoding-on-1.0',
  },
  {
    name: 'Transfer-Encoding: gzip, chunked',
    bytes: (t, h) => `${head(t, h, 'Transfer-Encoding: gzip, chunked')}1\r\nx\r\n0\r\n\r\n`,
    status: 501,
    code: 'transfer-encoding',
  },
  { name: 'fragment in the target', bytes: (t, h) => get(`${t}a#b`, h), status: 400, code: 'target-not-canonical' },
  {
    name: 'backslash in the target',
    bytes: (t, h) => get(`${t}a\\..\\b`, h),
    status: 400,
    code: 'target-not-canonical',
  },
  { name: 'encoded dot segment', bytes: (t, h) => get(`${t}a/%2e%2e/b`, h), status: 400, code: 'target-not-canonical' },
  { name: 'encoded slash', bytes: (t, h) => get(`${t}a%2fb`, h), status: 400, code: 'target-not-canonical' },
  {
    name: 'byte over 0x7f in a value',
    bytes: (t, h) => Buffer.from(get(t, h, 'X: caf\u00e9'), 'latin1'),
    status: 400,
    code: 'header-not-ascii',
  },
  {
    name: 'GET with a body',
    bytes: (t, h) => `${get(t, h, 'Content-Length: 1')}x`,
    status: 400,
    code: 'body-not-allowed',
  },
  {
    name: 'CL.0: GET whose body is the next request',
    bytes: (t, h) => `${get(t, h, `Content-Length: ${smuggled(h).length}`)}${smuggled(h)}`,
    status: 400,
    code: 'body-not-allowed',
  },
  {
    name: 'GET with chunks',
    bytes: (t, h) => `${get(t, h, 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    status: 400,
    code: 'body-not-allowed',
  },
  {
    name: 'DELETE with a body',
    bytes: (t, h) => `DELETE ${t} HTTP/1.1\r\nHost: ${h}\r\nContent-Length: 1\r\n\r\nx`,
    status: 400,
    code: 'body-not-allowed',
  },
  {
    name: 'TRACE',
    bytes: (t, h) => `TRACE ${t} HTTP/1.1\r\nHost: ${h}\r\n\r\n`,
    status: 405,
    code: 'method-not-allowed',
  },
  {
    name: 'a method that is no plain word',
    bytes: (t, h) => `M-SEARCH ${t} HTTP/1.1\r\nHost: ${h}\r\n\r\n`,
    status: 405,
    code: 'method-not-allowed',
  },
  {
    name: 'unknown expectation',
    bytes: (t, h) => get(t, h, 'Expect: 200-ok'),
    status: 417,
    code: 'expectation-unknown',
  },
  {
    name: '129 headers',
    bytes: (t, h) => get(t, h, ...Array.from({ length: 128 }, (_, i) => `X${i}: 1`)),
    status: 431,
    code: 'head-too-large',
  },
  {
    name: 'target over 16 KiB',
    bytes: (t, h) => get(`${t}${'a'.repeat(16 * 1024)}`, h),
    status: 414,
    code: 'target-too-long',
  },
  { name: '257 query pairs', bytes: (t, h) => get(`${t}?${'a&'.repeat(256)}a`, h), status: 400, code: 'query-limit' },
  {
    name: 'WebSocket upgrade with a request behind it',
    bytes: (t, h) =>
      `${get(t, h, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')}${smuggled(h)}`,
    status: 501,
    code: 'upgrade-unsupported',
  },
];
