/** What a hostile server sends for one request, and what must come of it. */
export interface HostileAnswer {
  readonly name: string;
  readonly bytes: string;
  /** The server ends the connection behind the bytes. */
  readonly ends: boolean;
  /** Of the answer to the agent, and of the recorded outcome. */
  readonly code: string;
}

/** Never relayed: what a reader behind us would take for an answer of its own. */
export const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';

const head = (...lines: string[]): string => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n');
const answer = (name: string, bytes: string, ends = false): HostileAnswer => {
  return { name, bytes, ends, code: 'upstream-protocol' };
};

/** Heads with two readings, or none (RFC 9112 §6.3, §11.1): 502, and the socket is never used again. */
export const answerRows: readonly HostileAnswer[] = [
  answer('length and chunked', `${head('Content-Length: 1', 'Transfer-Encoding: chunked')}0\r\n\r\n${poison}`),
  answer('chunked and length', `${head('Transfer-Encoding: chunked', 'Content-Length: 1')}0\r\n\r\n${poison}`),
  answer('two lengths', `${head('Content-Length: 1', 'Content-Length: 2')}xx`),
  answer('the same length twice', `${head('Content-Length: 1', 'Content-Length: 1')}x`),
  answer('a list of lengths', `${head('Content-Length: 1, 1')}x`),
  answer('a signed length', `${head('Content-Length: +1')}x`),
  answer('a negative length', `${head('Content-Length: -1')}x`),
  answer('a hexadecimal length', `${head('Content-Length: 0x1')}x`),
  answer('a length over 2^64', `${head('Content-Length: 18446744073709551617')}x`),
  answer('chunked twice', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  answer('gzip, chunked', `${head('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`),
  answer('identity', `${head('Transfer-Encoding: identity')}x`, true),
  answer('an unknown transfer coding', `${head('Transfer-Encoding: cow')}x`, true),
  answer('chunked on HTTP/1.0', `${head('Transfer-Encoding: chunked').replace('1.1', '1.0')}0\r\n\r\n`),
  answer('a head split by a bare LF', `${head('X: a\nSet-Cookie: b', 'Content-Length: 0')}`),
  answer('a head split by a bare CR', `${head('X: a\rSet-Cookie: b', 'Content-Length: 0')}`),
  answer('bare LF throughout', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'),
  answer('a folded header', head('X: a', ' b', 'Content-Length: 0')),
  answer('a space before the colon', head('Content-Length : 0')),
  answer('NUL in a value', head('X: a\0b', 'Content-Length: 0')),
  answer('a header without a colon', head('Header', 'Content-Length: 0')),
  answer('status 099', 'HTTP/1.1 099 None\r\nContent-Length: 0\r\n\r\n'),
  answer('a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'),
  answer('a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
  answer('HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n'),
  answer('HTTP/1.2', 'HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n'),
  answer('no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n', true),
  answer('HTTP/0.9', '<html></html>', true),
  answer('101 unasked', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n${poison}`),
  answer(
    'nine interim answers',
    `${'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(9)}${head('Content-Length: 0')}`,
  ),
  answer('129 headers', head(...Array.from({ length: 128 }, (_, i) => `X${i}: 1`), 'Content-Length: 0')),
  answer('a head of 40 KiB', head(`X: ${'a'.repeat(40 * 1024)}`, 'Content-Length: 0')),
];

/** Begun well, broken in the body: what the agent has is visibly not whole, and the record says why. */
export const brokenBodies: readonly HostileAnswer[] = [
  answer('a chunk size that overflows', `${head('Transfer-Encoding: chunked')}2\r\nok\r\n10000000000000001\r\nx`),
  answer('a chunk longer than said', `${head('Transfer-Encoding: chunked')}2\r\nok!!\r\n0\r\n\r\n`),
  answer('a chunk with a bare LF', `${head('Transfer-Encoding: chunked')}2\r\nok\n0\r\n\r\n`),
  answer(
    'a chunk with an extension of 64 KiB',
    `${head('Transfer-Encoding: chunked')}2\r\nok\r\n1;${'a'.repeat(65_536)}\r\nx\r\n`,
  ),
  answer('a length that never comes', `${head('Content-Length: 9')}ok`, true),
  answer('chunks that never end', `${head('Transfer-Encoding: chunked')}2\r\nok\r\n`, true),
].map((row) => ({ ...row, code: 'upstream-aborted' }));

/** Whole answers with a second one behind: the second must be read by nobody. */
export const trailingAnswers: ReadonlyArray<{
  readonly name: string;
  readonly method: 'GET' | 'HEAD';
  readonly bytes: string;
  readonly status: number;
  readonly body: string;
}> = [
  { name: 'behind a length', method: 'GET', bytes: `${head('Content-Length: 2')}ok${poison}`, status: 200, body: 'ok' },
  {
    name: 'behind the last chunk',
    method: 'GET',
    bytes: `${head('Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n${poison}`,
    status: 200,
    body: 'ok',
  },
  { name: 'behind 204', method: 'GET', bytes: `HTTP/1.1 204 No Content\r\n\r\n${poison}`, status: 204, body: '' },
  {
    name: 'as the body of 204',
    method: 'GET',
    bytes: `HTTP/1.1 204 No Content\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`,
    status: 204,
    body: '',
  },
  {
    name: 'behind 304',
    method: 'GET',
    bytes: `HTTP/1.1 304 Not Modified\r\nContent-Length: ${poison.length}\r\n\r\n${poison}`,
    status: 304,
    body: '',
  },
  {
    name: 'as the body of HEAD',
    method: 'HEAD',
    bytes: `${head(`Content-Length: ${poison.length}`)}${poison}`,
    status: 200,
    body: '',
  },
];
