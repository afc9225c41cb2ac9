import { domainToASCII, domainToUnicode } from 'node:url';
import { type Refusal, refuse } from '../error.ts';
import { limits } from '../limits.ts';
import { addressOf, looksNumeric } from './address.ts';

export type HostKind = 'name' | 'ipv4' | 'ipv6';
export type CanonicalCode = 'host-not-canonical' | 'origin-not-canonical' | 'path-not-canonical' | 'url-not-canonical';

export interface CanonicalHost {
  readonly ok: true;
  /** Lower-case A-labels without a final dot, or the one canonical text of an address, without brackets. */
  readonly host: string;
  readonly kind: HostKind;
}

const label = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/**
 * The one spelling of a host. Case is folded and Unicode becomes A-labels; every other odd spelling is refused
 * rather than repaired, since two readers may repair it differently: that is how SSRF filters are passed.
 */
export function canonicalHost(text: string): CanonicalHost | Refusal<CanonicalCode> {
  const no = (message: string, mend: string | null = null) => refuse('host-not-canonical' as const, message, mend);
  if (text.length === 0 || text.length > limits.hostCharsMax) {
    return no(`a host has 1 to ${limits.hostCharsMax} characters`);
  }
  if (text.includes(':') || looksNumeric(text)) {
    const address = addressOf(text);
    if (address === null) return no('this is no address, and no name ends in a number');
    if (address.text !== text) return no('an address is written in its one canonical form', address.text);
    return { ok: true, host: text, kind: address.kind };
  }
  const ascii = toAscii(text);
  if (ascii === null) return no('the name has characters that no host name has, or another spelling');
  if (ascii.endsWith('.')) return no('a host name has no final dot', ascii.slice(0, -1));
  const labels = ascii.split('.');
  if (labels.length > limits.hostLabelsMax) return no(`a host name has at most ${limits.hostLabelsMax} labels`);
  for (const part of labels) {
    if (part.length > limits.labelCharsMax || !label.test(part)) return no('a label of the name is not valid');
  }
  // A Unicode label may map to digits only after the conversion (`１２７.0.0.1`).
  if (ascii.length > limits.hostCharsMax || looksNumeric(ascii)) return no('no name ends in a number');
  return { ok: true, host: ascii, kind: 'name' };
}

/** Lower-case A-labels, or null if the text is not the very name that these labels display. */
function toAscii(text: string): string | null {
  if (/^[\x21-\x7e]+$/.test(text)) {
    const lower = text.toLowerCase();
    if (!lower.includes('xn--')) return lower;
    // Punycode that decodes to nothing, or to what would be encoded differently, is a name nobody registered. What
    // cannot be decoded comes back as it is, so it has to be looked for.
    const shown = domainToUnicode(lower);
    return !shown.split('.').some((part) => part.startsWith('xn--')) && domainToASCII(shown) === lower ? lower : null;
  }
  const ascii = domainToASCII(text);
  if (ascii === '' || domainToUnicode(ascii) !== text.toLowerCase()) return null;
  return ascii;
}
