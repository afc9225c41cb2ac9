import { type HostileRequest, post, smuggled } from './request.ts';

/** An empty chunked body, then what a reader that knows no coding takes for the next request. */
const chunked = (line: string): HostileRequest['bytes'] => {
  return (target, host) => `${post(target, host, ...line.split('|'))}0\r\n\r\n${smuggled(host)}`;
};
const length = (line: string, body = ''): HostileRequest['bytes'] => {
  return (target, host) => `${post(target, host, ...line.split('|'))}${body}${smuggled(host)}`;
};
const malformed = { status: 400, code: 'malformed-request' } as const;

/** TE.TE and obfuscated Transfer-Encoding: one reader sees chunks, the other none (RFC 9112 §6.1, §11.2). */
export const codingRows: readonly HostileRequest[] = [
  { name: 'TE.TE: chunked twice', bytes: chunked('Transfer-Encoding: chunked|Transfer-Encoding: chunked') },
  { name: 'TE.TE: chunked, then identity', bytes: chunked('Transfer-Encoding: chunked|Transfer-Encoding: identity') },
  { name: 'TE.TE: chunked, then an unknown one', bytes: chunked('Transfer-Encoding: chunked|transfer-encoding: cow') },
  { name: 'Transfer-Encoding: xchunked', bytes: chunked('Transfer-Encoding: xchunked') },
  { name: 'Transfer-Encoding: chunked;q=1', bytes: chunked('Transfer-Encoding: chunked;q=1') },
  { name: 'Transfer-Encoding: "chunked"', bytes: chunked('Transfer-Encoding: "chunked"') },
  { name: 'Transfer-Encoding: chunked, identity', bytes: chunked('Transfer-Encoding: chunked, identity') },
  { name: 'Transfer-Encoding: chunked, chunked', bytes: chunked('Transfer-Encoding: chunked, chunked') },
  { name: 'Transfer-Encoding: chunked,', bytes: chunked('Transfer-Encoding: chunked,') },
  { name: 'Transfer-Encoding: identity', bytes: chunked('Transfer-Encoding: identity') },
  { name: 'Transfer-Encoding, empty', bytes: chunked('Transfer-Encoding:') },
  { name: 'vertical tab before chunked', bytes: chunked('Transfer-Encoding: \x0bchunked') },
  { name: 'vertical tab behind chunked', bytes: chunked('Transfer-Encoding: chunked\x0b') },
  { name: 'NUL behind chunked', bytes: chunked('Transfer-Encoding: chunked\0') },
  { name: 'Transfer-Encoding folded', bytes: chunked('Transfer-Encoding:\r\n chunked') },
  { name: 'Transfer-Encoding behind a bare LF', bytes: chunked('X: y\nTransfer-Encoding: chunked') },
  { name: 'Transfer-Encoding behind a bare CR', bytes: chunked('X: y\rTransfer-Encoding: chunked') },
  { name: 'space before the colon of Transfer-Encoding', bytes: chunked('Transfer-Encoding : chunked') },
  { name: 'a line that begins with a space', bytes: chunked('X: y| Transfer-Encoding: chunked') },
  { name: 'Content-Length, empty', bytes: length('Content-Length:') },
  { name: 'negative Content-Length', bytes: length('Content-Length: -1') },
  { name: 'Content-Length with an exponent', bytes: length('Content-Length: 1e1') },
  { name: 'Content-Length with a digit group', bytes: length('Content-Length: 1_0', 'x') },
  { name: 'Content-Length over 2^64', bytes: length('Content-Length: 18446744073709551616') },
  { name: 'Content-Length of 24 digits', bytes: length('Content-Length: 999999999999999999999999') },
  { name: 'the same Content-Length twice', bytes: length('Content-Length: 1|Content-Length: 1', 'x') },
].map((row) => ({ ...row, ...malformed }));

/** What the parser takes as framing and a proxy must not: refused by our own reading of the head. */
export const listedCodingRows: readonly HostileRequest[] = [
  { name: 'TE.TE: identity, then chunked', bytes: chunked('Transfer-Encoding: identity|Transfer-Encoding: chunked') },
  { name: 'Transfer-Encoding: ,chunked', bytes: chunked('Transfer-Encoding: ,chunked') },
  { name: 'Transfer-Encoding: br, chunked', bytes: chunked('Transfer-Encoding: br, chunked') },
].map((row) => ({ ...row, status: 501, code: 'transfer-encoding' }));
