import { get, post } from './request.ts';

/** Odd, and with one reading all the same: what must reach the server, framed anew. */
export interface OddRequest {
  readonly name: string;
  readonly bytes: (target: string, host: string) => string;
  readonly method: 'GET' | 'POST';
  readonly body: string;
}

const chunked = 'Transfer-Encoding: chunked';

/** INVARIANT: behind each of them the connection is in step; the next request on it is the one that was sent next. */
export const oddRows: readonly OddRequest[] = [
  { name: 'tab before chunked', bytes: (t, h) => `${post(t, h, 'Transfer-Encoding:\tchunked')}0\r\n\r\n`, body: '' },
  { name: 'CHUNKED', bytes: (t, h) => `${post(t, h, 'TRANSFER-ENCODING: CHUNKED')}0\r\n\r\n`, body: '' },
  { name: 'a last chunk of two zeros', bytes: (t, h) => `${post(t, h, chunked)}00\r\n\r\n`, body: '' },
  {
    name: 'a size with leading zeros',
    bytes: (t, h) => `${post(t, h, chunked)}00000000000000000000001\r\nx\r\n0\r\n\r\n`,
    body: 'x',
  },
  {
    name: 'a size in both cases',
    bytes: (t, h) => `${post(t, h, chunked)}a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n`,
    body: '01234567890123456789a',
  },
  { name: 'a quoted extension', bytes: (t, h) => `${post(t, h, chunked)}1;a="b;c"\r\nx\r\n0\r\n\r\n`, body: 'x' },
  {
    name: 'a thousand chunks of one byte',
    bytes: (t, h) => `${post(t, h, chunked)}${'1\r\nx\r\n'.repeat(1000)}0\r\n\r\n`,
    body: 'x'.repeat(1000),
  },
  {
    name: 'a body that is a request',
    bytes: (t, h) => `${post(t, h, `Content-Length: ${get('/b', 'b').length}`)}${get('/b', 'b')}`,
    body: get('/b', 'b'),
  },
  {
    name: 'chunks that are requests',
    bytes: (t, h) => `${post(t, h, chunked)}${get('/b', 'b').length.toString(16)}\r\n${get('/b', 'b')}\r\n0\r\n\r\n`,
    body: get('/b', 'b'),
  },
  {
    name: 'Content-Length with spaces around',
    bytes: (t, h) => `${post(t, h, 'Content-Length: \t 1 \t')}x`,
    body: 'x',
  },
  { name: 'Content-Length with a leading zero', bytes: (t, h) => `${post(t, h, 'Content-Length: 01')}x`, body: 'x' },
  {
    name: 'Content-Length that Connection names',
    bytes: (t, h) => `${post(t, h, 'Connection: Content-Length', 'Content-Length: 1')}x`,
    body: 'x',
  },
  {
    name: 'Transfer-Encoding that Connection names',
    bytes: (t, h) => `${post(t, h, 'Connection: Transfer-Encoding', chunked)}1\r\nx\r\n0\r\n\r\n`,
    body: 'x',
  },
  {
    name: 'Transfer_Encoding beside a length',
    bytes: (t, h) => `${post(t, h, 'Transfer_Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    body: '0\r\n\r\n',
  },
  {
    name: 'a trailer that names a host',
    bytes: (t, h) => `${post(t, h, chunked)}1\r\nx\r\n0\r\nHost: evil.example.com\r\n\r\n`,
    body: 'x',
  },
  {
    name: 'a body that was announced',
    bytes: (t, h) => `${post(t, h, 'Expect: 100-continue', 'Content-Length: 1')}x`,
    body: 'x',
  },
].map((row) => ({ ...row, method: 'POST' as const }));

export const oddReads: readonly OddRequest[] = [
  { name: 'empty lines before the request', bytes: (t, h) => `\r\n\r\n${get(t, h)}` },
  { name: 'GET with a length of 0', bytes: (t, h) => get(t, h, 'Content-Length: 0') },
  {
    name: 'HTTP/1.0 that stays open',
    bytes: (t, h) => get(t, h, 'Connection: keep-alive').replace('HTTP/1.1', 'HTTP/1.0'),
  },
].map((row) => ({ ...row, method: 'GET' as const, body: '' }));
