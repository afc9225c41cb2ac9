/** `host[:port]` as it stands on the wire, taken apart and nothing more: whether the host is canonical is asked later. */
export interface Authority {
  readonly host: string;
  readonly port: number | null;
}

/**
 * RFC 3986 §3.2 without userinfo. An IPv6 literal keeps its brackets.
 * null where the text has no single reading: userinfo, empty host, signed, padded or over-long ports.
 */
export function parseAuthority(text: string): Authority | null {
  const bracket = text.startsWith('[') ? text.indexOf(']') + 1 : 0;
  if (text.startsWith('[') && bracket === 0) return null;
  const colon = text.indexOf(':', bracket);
  const host = colon < 0 ? text : text.slice(0, colon);
  if (host === '' || (bracket > 0 && host.length !== bracket)) return null;
  for (const char of host) {
    const code = char.charCodeAt(0);
    if (code <= 0x20 || code >= 0x7f || char === '@' || char === '/' || char === '\\' || char === '?' || char === '#') {
      return null;
    }
  }
  if (colon < 0) return { host, port: null };
  const port = parsePort(text.slice(colon + 1));
  return port === null ? null : { host, port };
}

function parsePort(text: string): number | null {
  if (text.length === 0 || text.length > 5 || (text.startsWith('0') && text !== '0')) return null;
  let port = 0;
  for (const char of text) {
    if (char < '0' || char > '9') return null;
    port = port * 10 + Number(char);
  }
  return port >= 1 && port <= 65_535 ? port : null;
}
