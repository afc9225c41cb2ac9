import { type HostileRequest, post, smuggled } from './request.ts';

const chunks = (body: string): HostileRequest['bytes'] => {
  return (target, host) => `${post(target, host, 'Transfer-Encoding: chunked')}${body}${smuggled(host)}`;
};
const malformed = { status: 400, code: 'malformed-request' } as const;

/** Chunks with a second reading (RFC 9112 §7.1): where one reader ends the body, the other goes on. */
export const chunkRows: readonly HostileRequest[] = [
  { name: 'a size with 0x', bytes: chunks('0x0\r\n\r\n') },
  { name: 'a negative size', bytes: chunks('-0\r\n\r\n') },
  { name: 'an empty size', bytes: chunks('\r\n\r\n') },
  { name: 'a size with a space behind', bytes: chunks('0 \r\n\r\n') },
  { name: 'a size with a space before', bytes: chunks(' 1\r\nx\r\n0\r\n\r\n') },
  { name: 'a size with a digit group', bytes: chunks('1_\r\nx\r\n0\r\n\r\n') },
  { name: 'a size of 2^64 + 1', bytes: chunks('10000000000000001\r\nx\r\n0\r\n\r\n') },
  { name: 'a size that wraps to 0', bytes: chunks('10000000000000000\r\n\r\n') },
  { name: 'bare LF throughout', bytes: chunks('1\nx\n0\n\n') },
  { name: 'bare LF behind the last size', bytes: chunks('1\r\nx\r\n0\n\n') },
  { name: 'bare LF behind the data', bytes: chunks('1\r\nx\n0\r\n\r\n') },
  { name: 'no line end behind the data', bytes: chunks('1\r\nx0\r\n\r\n') },
  { name: 'data longer than said', bytes: chunks('1\r\nxyz\r\n0\r\n\r\n') },
  { name: 'bare LF as an extension', bytes: chunks('1;\nx\r\n0\r\n\r\n') },
  { name: 'bare LF behind an extension', bytes: chunks('1;a\nx\r\n0\r\n\r\n') },
  { name: 'bare CR in an extension', bytes: chunks('1;a\rb\r\nx\r\n0\r\n\r\n') },
  { name: 'NUL in an extension', bytes: chunks('1;a\0\r\nx\r\n0\r\n\r\n') },
  { name: 'a quoted line end in an extension', bytes: chunks('1;a="\r\n"\r\nx\r\n0\r\n\r\n') },
  {
    name: 'a length among the trailers',
    bytes: chunks('0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'),
  },
  { name: 'a trailer with a space before the colon', bytes: chunks('0\r\nX : a\r\n\r\n') },
  { name: 'a folded trailer', bytes: chunks('0\r\nX: a\r\n b\r\n\r\n') },
].map((row) => ({ ...row, ...malformed }));

/** Bytes beside the body that would fill memory: extensions of one chunk, and trailers. */
export const chunkFloods: readonly HostileRequest[] = [
  {
    name: 'an extension of 64 KiB',
    bytes: chunks(`1;${'a'.repeat(64 * 1024)}\r\nx\r\n0\r\n\r\n`),
    status: 413,
    code: 'body-too-large',
  },
  {
    name: 'an extension of 64 KiB on the last chunk',
    bytes: chunks(`0;${'a'.repeat(64 * 1024)}\r\n\r\n`),
    status: 413,
    code: 'body-too-large',
  },
  {
    name: 'trailers of 64 KiB',
    bytes: chunks(`0\r\n${`X: ${'a'.repeat(1024)}\r\n`.repeat(64)}\r\n`),
    status: 431,
    code: 'head-too-large',
  },
];

/** The first message is whole; what stands behind it is none, and what stands behind that is never read. */
export const rubbishRow: HostileRequest = {
  name: 'a second last chunk',
  bytes: chunks('0\r\n\r\n0\r\n\r\n'),
  ...malformed,
};
