import type { JsonErrorCode } from './error.ts';

export type StringReading =
  | { readonly ok: true; readonly text: string; readonly end: number }
  | { readonly ok: false; readonly code: JsonErrorCode; readonly offset: number };

/** Without `stream` a decoder keeps nothing from one call to the next. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const escapes: Readonly<Record<number, string>> = {
  34: '"',
  92: '\\',
  47: '/',
  98: '\b',
  102: '\f',
  110: '\n',
  114: '\r',
  116: '\t',
};

/** A JSON string that starts with the quote at `start`; `end` is behind its closing quote. */
export function readString(bytes: Uint8Array, start: number): StringReading {
  let text = '';
  let from = start + 1;
  for (let at = from; ; ) {
    const byte = bytes[at];
    if (byte === undefined || byte < 0x20) return { ok: false, code: 'json-syntax', offset: at };
    if (byte !== 0x22 && byte !== 0x5c) {
      at++;
      continue;
    }
    const piece = decode(bytes, from, at);
    if (piece === null) return { ok: false, code: 'json-utf8', offset: invalidAt(bytes, from, at) };
    text += piece;
    if (byte === 0x22) return { ok: true, text, end: at + 1 };
    const escaped = readEscape(bytes, at + 1);
    if (escaped === null) return { ok: false, code: 'json-syntax', offset: at };
    text += escaped;
    at += bytes[at + 1] === 0x75 ? 6 : 2;
    from = at;
  }
}

function readEscape(bytes: Uint8Array, at: number): string | null {
  const kind = bytes[at];
  if (kind === undefined) return null;
  if (kind !== 0x75) return escapes[kind] ?? null;
  let code = 0;
  for (let digit = 1; digit <= 4; digit++) {
    const value = hexValue(bytes[at + digit]);
    if (value < 0) return null;
    code = code * 16 + value;
  }
  // Halves of a pair are joined by standing side by side in the text; a half that stays alone is found there.
  return String.fromCharCode(code);
}

function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** A call of the decoder costs more than a short text is worth; most keys are one. */
const shortBytesMax = 24;

function decodeShort(bytes: Uint8Array, from: number, to: number): string | null {
  let text = '';
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0x80;
    if (byte >= 0x80) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Null for bytes that are not UTF-8 (over-long forms, surrogates, beyond U+10FFFF; RFC 3629 §3). */
function decode(bytes: Uint8Array, from: number, to: number): string | null {
  const short = to - from <= shortBytesMax ? decodeShort(bytes, from, to) : null;
  if (short !== null) return short;
  try {
    return utf8.decode(bytes.subarray(from, to));
  } catch {
    return null;
  }
}

/** Offset of the first byte that cannot be decoded; only called once the piece is known to be bad. */
function invalidAt(bytes: Uint8Array, from: number, to: number): number {
  let good = from;
  let bad = to;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    try {
      // As a stream an incomplete character at the end is no error yet.
      decoder.decode(bytes.subarray(from, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  return good;
}
