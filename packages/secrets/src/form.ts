/** The ways in which a value can come back that are searched for (gateway.md §2.6 of the design). */
export type SecretForm = 'raw' | 'json' | 'percent' | 'base64' | 'base64url' | 'hex';

export interface FormPattern {
  readonly form: SecretForm;
  /** Owned by whoever asked for it, and wiped by them. */
  readonly bytes: Buffer;
}

/** Shorter patterns are found by chance; with values of at least 8 bytes none is shorter than 7 characters. */
const patternBytesMin = 6;

/** Every byte sequence that stands for the value. The first of equal ones is kept. */
export function formsOf(value: Buffer): FormPattern[] {
  const text = value.toString('latin1');
  const percent = percentOf(value, (byte) => !isUnreserved(byte));
  const percentAll = percentOf(value, () => true);
  const json = JSON.stringify(text).slice(1, -1);
  const candidates: Array<readonly [SecretForm, string]> = [
    ['raw', text],
    ['json', json],
    ['json', json.replaceAll('/', '\\/')],
    ['json', json.replace(/[<>&'+=]/g, unicodeEscape)],
    ['percent', percent],
    ['percent', lowerEscapes(percent)],
    ['percent', percent.replaceAll('%20', '+')],
    // What Python's `quote` and most path encoders leave as it is.
    ['percent', percent.replaceAll('%2F', '/')],
    ['percent', lowerEscapes(percent.replaceAll('%2F', '/'))],
    ['percent', percentAll],
    ['percent', lowerEscapes(percentAll)],
    ...[0, 1, 2].flatMap((offset): Array<readonly [SecretForm, string]> => {
      const middle = base64Middle(value, offset);
      return [
        ['base64', middle],
        ['base64url', middle.replaceAll('+', '-').replaceAll('/', '_')],
      ];
    }),
    ['hex', value.toString('hex')],
    ['hex', value.toString('hex').toUpperCase()],
  ];
  const seen = new Set<string>();
  return candidates.flatMap(([form, pattern]) => {
    if (pattern.length < patternBytesMin || seen.has(pattern)) return [];
    seen.add(pattern);
    return [{ form, bytes: Buffer.from(pattern, 'latin1') }];
  });
}

/**
 * The characters that the value alone decides when it starts `offset` bytes into a group of three: what stands before
 * and after it colours the characters at both edges, so those are left out.
 */
function base64Middle(value: Buffer, offset: number): string {
  const padded = Buffer.concat([Buffer.alloc(offset), value]);
  const coded = padded.toString('base64').replace(/=+$/, '');
  padded.fill(0);
  const first = offset === 0 ? 0 : offset + 1;
  const last = Math.floor(((offset + value.length) * 8) / 6);
  return coded.slice(first, last);
}

function percentOf(value: Buffer, mustEscape: (byte: number) => boolean): string {
  let text = '';
  for (const byte of value) {
    text += mustEscape(byte) ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}` : String.fromCharCode(byte);
  }
  return text;
}

/** RFC 3986 §2.3, and what `encodeURIComponent` leaves as it is. */
function isUnreserved(byte: number): boolean {
  return /[A-Za-z0-9\-._~!*'()]/.test(String.fromCharCode(byte));
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase());
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
