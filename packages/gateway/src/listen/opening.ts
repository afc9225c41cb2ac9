import { parseClientHello } from '@cordon/egress';

/** What the first bytes of a connection say. Nothing is guessed: what is neither is closed. */
export type Opening =
  | { readonly kind: 'tls'; readonly serverName: string | null; readonly ech: boolean }
  | { readonly kind: 'http' }
  | { readonly kind: 'unknown' };

const tlsHandshake = 0x16;

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
      // An ECH extension is ignored: we terminate, so the outer name is the only one there is.
      return { kind: 'tls', serverName: hello.serverName, ech: hello.ech };
    case 'not-tls':
    case 'malformed':
      return { kind: 'unknown' };
  }
}
