import { parseClientHello } from '@cordon/egress';

/** What the first bytes of a connection say. Nothing is guessed: what is neither is closed. */
export type Opening =
  | { readonly kind: 'tls'; readonly serverName: string | null; readonly ech: boolean }
  | { readonly kind: 'http' }
  | { readonly kind: 'unknown' };

const tlsHandshake = 0x16;

/** Registered methods with a meaning for an origin (RFC 9110 §9, RFC 5789, RFC 4918). */
const methods: ReadonlySet<string> = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ...['PROPFIND', 'PROPPATCH', 'MKCOL', 'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'REPORT', 'SEARCH'],
]);
const methodCharsMax = 16;

/**
 * As {@link classifyOpening}, where raw TCP was granted: `SSH-2.0…` and `PING` start like a method and are none, so a
 * whole known one with its space is asked for before a connection counts as HTTP.
 */
export function classifyRawOpening(bytes: Buffer): Opening | null {
  const opening = classifyOpening(bytes);
  if (opening?.kind !== 'http') return opening;
  const end = bytes.indexOf(0x20);
  const word = bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
  if (end >= 0) return methods.has(word) ? opening : { kind: 'unknown' };
  return word.length <= methodCharsMax && /^[A-Z]+$/.test(word) ? null : { kind: 'unknown' };
}

/** For {@link peek}: null while more bytes are needed. */
export function classifyOpening(bytes: Buffer): Opening | null {
  const first = bytes[0];
  if (first === undefined) return null;
  // A method token; the parser behind decides whether it is one (RFC 9110 §9.1 methods are upper case).
  if (first >= 0x41 && first <= 0x5a) return { kind: 'http' };
  if (first !== tlsHandshake) return { kind: 'unknown' };
  const hello = parseClientHello(bytes);
  switch (hello.kind) {
    case 'need-more':
      return null;
    case 'hello':
      // Where we terminate, an ECH extension is ignored: the outer name is the only one there is.
      return { kind: 'tls', serverName: hello.serverName, ech: hello.ech };
    case 'not-tls':
    case 'malformed':
      return { kind: 'unknown' };
  }
}
