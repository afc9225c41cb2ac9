import { get, type HostileRequest, post, smuggled } from './request.ts';

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
    bytes: (t, h) => `${post(t, h, 'Transfer-Encoding: gzip, chunked')}1\r\nx\r\n0\r\n\r\n`,
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
