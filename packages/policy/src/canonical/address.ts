/** An IP literal and its one canonical text: dotted decimal, or RFC 5952 §4 (hexadecimal groups throughout). */
export interface Address {
  readonly kind: 'ipv4' | 'ipv6';
  readonly text: string;
}

/** WHATWG URL §3.5 "ends in a number": such a host is an address or nothing, never a name. */
export function looksNumeric(host: string): boolean {
  const labels = host.split('.');
  const last = labels.at(-1) === '' ? labels.at(-2) : labels.at(-1);
  return last !== undefined && /^([0-9]+|0[xX][0-9a-fA-F]*)$/.test(last);
}

/** What the text means to a lenient reader, canonically written; null when it means nothing. */
export function addressOf(text: string): Address | null {
  const v6 = text.includes(':');
  // No brackets, zones, escapes or anything else that the URL parser would give a meaning of its own.
  if (!/^[0-9a-fA-FxX.:]+$/.test(text)) return null;
  const url = URL.parse(v6 ? `http://[${text}]/` : `http://${text}/`);
  if (url === null) return null;
  if (v6) return { kind: 'ipv6', text: url.hostname.slice(1, -1) };
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(url.hostname) ? { kind: 'ipv4', text: url.hostname } : null;
}
