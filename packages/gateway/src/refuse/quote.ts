import { limits } from '../limits.ts';

/**
 * Hostile text as it may be shown to people, agents and logs: printable ASCII only, bounded.
 * Anything else becomes `\xNN` or `\u{…}`, so that no control, bidirectional or confusable character acts on a terminal.
 */
export function quote(text: string, charsMax: number = limits.quotedCharsMax): string {
  let out = '';
  for (const char of text) {
    if (out.length >= charsMax) return `${out}…`;
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0x20 && code <= 0x7e && char !== '\\') out += char;
    else out += code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  }
  return out;
}
