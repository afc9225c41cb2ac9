import { get, post } from './request.ts';

/** A client that begins well and then takes its time. */
export interface SlowClient {
  readonly name: string;
  /** Sent at once. */
  readonly start: (target: string, host: string) => string;
  /** Then nothing; or one byte again and again, never the last one; or the end of the client's side. */
  readonly then: 'silence' | 'drip' | 'fin';
  /** Sent one byte at a time with `drip`. */
  readonly byte: string;
  /** 0: closed without an answer. */
  readonly status: number;
  /** Of the recorded fault; null: nothing was asked, so nothing is recorded. */
  readonly code: string | null;
}

const late = { status: 408, code: 'request-timeout' } as const;
const chunked = 'Transfer-Encoding: chunked';
const slow = (
  name: string,
  then: SlowClient['then'],
  start: SlowClient['start'],
  end: Pick<SlowClient, 'status' | 'code'> = late,
): SlowClient => ({ name, start, then, byte: 'a', ...end });

/** Slow heads: the deadline is of the whole head, so a byte now and then does not move it. */
export const slowHeads: readonly SlowClient[] = [
  slow('half a method', 'silence', () => 'GE'),
  slow('half a target', 'silence', (t) => `GET ${t.slice(0, -1)}`),
  slow('a line without its end', 'silence', (t) => `GET ${t} HTTP/1.1`),
  slow('half a header', 'silence', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h.slice(0, 3)}`),
  slow('a head without its last line', 'silence', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\n`),
  slow('a target that grows', 'drip', (t) => `GET ${t}`),
  slow('a header that grows', 'drip', (t, h) => `GET ${t} HTTP/1.1\r\nHost: ${h}\r\nX: `),
  slow('a second head that does not come', 'silence', (t, h) => `${get(t, h)}GET ${t} HT`),
];

export const slowBodies: readonly SlowClient[] = [
  slow('a body that stops', 'silence', (t, h) => `${post(t, h, 'Content-Length: 9')}abc`),
  slow('a body that does not begin', 'silence', (t, h) => post(t, h, 'Content-Length: 9')),
  slow('a body that was announced and does not come', 'silence', (t, h) =>
    post(t, h, 'Expect: 100-continue', 'Content-Length: 9'),
  ),
  slow('a body that drips', 'drip', (t, h) => `${post(t, h, 'Content-Length: 5000')}`),
  slow('a chunk that stops', 'silence', (t, h) => `${post(t, h, chunked)}5\r\nab`),
  slow('a chunk size that stops', 'silence', (t, h) => `${post(t, h, chunked)}5`),
  slow('a chunk extension that drips', 'drip', (t, h) => `${post(t, h, chunked)}5;`),
  slow('trailers that drip', 'drip', (t, h) => `${post(t, h, chunked)}1\r\nx\r\n0\r\nX: `),
];

/** Half-open: the client has ended its side. */
export const halfOpen: readonly SlowClient[] = [
  slow('the end in the head', 'fin', (t) => `GET ${t} HTTP`, { status: 400, code: 'malformed-request' }),
  slow('the end in the body', 'fin', (t, h) => `${post(t, h, 'Content-Length: 9')}abc`, {
    status: 400,
    code: 'malformed-request',
  }),
  slow('the end in a chunk', 'fin', (t, h) => `${post(t, h, chunked)}5\r\nab`, {
    status: 400,
    code: 'malformed-request',
  }),
];
