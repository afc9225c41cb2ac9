import { get, post } from './request.ts';

/** Odd, and with one reading all the same: what must reach the server, framed anew. */
export interface OddRequest {
  readonly name: string;
  readonly bytes: (target: string, host: string) => string;
  readonly method: 'GET' | 'POST';
  readonly body: string;
}

const chunked = 'Transfer-Encoding: chunked';
const inner = get('/b', 'b');
const odd = (name: string, bytes: OddRequest['bytes'], body: string): OddRequest => {
  return { name, bytes, method: 'POST', body };
};
const chunks = (text: string): OddRequest['bytes'] => {
  return (target, host) => `${post(target, host, chunked)}${text}`;
};
const read = (name: string, bytes: OddRequest['bytes']): OddRequest => ({ name, bytes, method: 'GET', body: '' });

/** INVARIANT: behind each of them the connection is in step; the next request on it is the one that was sent next. */
export const oddRows: readonly OddRequest[] = [
  odd('tab before chunked', (t, h) => `${post(t, h, 'Transfer-Encoding:\tchunked')}0\r\n\r\n`, ''),
  odd('CHUNKED', (t, h) => `${post(t, h, 'TRANSFER-ENCODING: CHUNKED')}0\r\n\r\n`, ''),
  odd('a last chunk of two zeros', chunks('00\r\n\r\n'), ''),
  odd('a size with leading zeros', chunks('00000000000000000000001\r\nx\r\n0\r\n\r\n'), 'x'),
  odd('a size in both cases', chunks('a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n'), '01234567890123456789a'),
  odd('a quoted extension', chunks('1;a="b;c"\r\nx\r\n0\r\n\r\n'), 'x'),
  odd('a thousand chunks of one byte', chunks(`${'1\r\nx\r\n'.repeat(1000)}0\r\n\r\n`), 'x'.repeat(1000)),
  odd('a body that is a request', (t, h) => `${post(t, h, `Content-Length: ${inner.length}`)}${inner}`, inner),
  odd('chunks that are requests', chunks(`${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`), inner),
  odd('Content-Length with spaces around', (t, h) => `${post(t, h, 'Content-Length: \t 1 \t')}x`, 'x'),
  odd('Content-Length with a leading zero', (t, h) => `${post(t, h, 'Content-Length: 01')}x`, 'x'),
  odd(
    'Content-Length that Connection names',
    (t, h) => `${post(t, h, 'Connection: Content-Length', 'Content-Length: 1')}x`,
    'x',
  ),
  odd(
    'Transfer-Encoding that Connection names',
    (t, h) => `${post(t, h, 'Connection: Transfer-Encoding', chunked)}1\r\nx\r\n0\r\n\r\n`,
    'x',
  ),
  odd(
    'Transfer_Encoding beside a length',
    (t, h) => `${post(t, h, 'Transfer_Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    '0\r\n\r\n',
  ),
  odd('a trailer that names a host', chunks('1\r\nx\r\n0\r\nHost: evil.example.com\r\n\r\n'), 'x'),
  odd('a body that was announced', (t, h) => `${post(t, h, 'Expect: 100-continue', 'Content-Length: 1')}x`, 'x'),
];

export const oddReads: readonly OddRequest[] = [
  read('empty lines before the request', (t, h) => `\r\n\r\n${get(t, h)}`),
  read('GET with a length of 0', (t, h) => get(t, h, 'Content-Length: 0')),
  read('HTTP/1.0 that stays open', (t, h) => get(t, h, 'Connection: keep-alive').replace('HTTP/1.1', 'HTTP/1.0')),
];
