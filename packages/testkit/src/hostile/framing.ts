import { get, type HostileRequest, post, smuggled } from './request.ts';

/** What node:http refuses by itself; kept here so that a change of runtime shows. */
export const parserRows: readonly HostileRequest[] = [
  {
    name: 'CL.TE',
    bytes: (t, h) => `${post(t, h, 'Content-Length: 6', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled(h)}`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'TE.CL',
    bytes: (t, h) =>
      `${post(t, h, 'Transfer-Encoding: chunked', 'Content-Length: 4')}5c\r\n${smuggled(h)}\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'two Content-Length',
    bytes: (t, h) => `${post(t, h, 'Content-Length: 1', 'Content-Length: 2')}xx`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'listed Content-Length',
    bytes: (t, h) => `${post(t, h, 'Content-Length: 1, 1')}x`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'signed Content-Length',
    bytes: (t, h) => `${post(t, h, 'Content-Length: +1')}x`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'hexadecimal Content-Length',
    bytes: (t, h) => `${post(t, h, 'Content-Length: 0x1')}x`,
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
    bytes: (t, h) => `${post(t, h, 'Transfer-Encoding: chunked')}+1\r\nx\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk size that overflows',
    bytes: (t, h) => `${post(t, h, 'Transfer-Encoding: chunked')}10000000000000001\r\nx\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk longer than said',
    bytes: (t, h) => `${post(t, h, 'Transfer-Encoding: chunked')}1\r\nxyz\r\n0\r\n\r\n`,
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'chunk extension flood',
    bytes: (t, h) => `${post(t, h, 'Transfer-Encoding: chunked')}1;${'a'.repeat(64 * 1024)}\r\nx\r\n0\r\n\r\n`,
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
