import { CordonError } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { JsonError, JsonErrorCode } from './error.ts';
import { readNumber } from './number.ts';
import { readString } from './string.ts';
import { type Json, Unread } from './value.ts';

/** `arguments`: what policy reads. `document`: bodies that are hashed as bytes, where odd values only lose their meaning. */
export type JsonProfile = 'arguments' | 'document';
export type JsonResult =
  | { readonly ok: true; readonly value: Json }
  | { readonly ok: false; readonly error: JsonError };

/**
 * RFC 8259, one reading only: whatever this accepts, `JSON.parse` accepts with the same value. Refused beside
 * syntax errors: duplicate keys (compared unescaped), invalid UTF-8, a byte order mark, trailing bytes, and in
 * `arguments` everything that two readers could take for different values. Iterative, so depth costs no stack.
 */
export function parseJson(
  bytes: Uint8Array,
  profile: JsonProfile,
  options: { readonly bytesMax?: number } = {},
): JsonResult {
  const bytesMax = options.bytesMax ?? (profile === 'arguments' ? limits.argumentsBytesMax : Number.MAX_SAFE_INTEGER);
  try {
    if (bytes.length > bytesMax) throw new JsonFault('json-bytes', bytesMax);
    return { ok: true, value: new JsonReader(bytes, profile).read() };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    return { ok: false, error: { code: error.code, offset: error.offset, message: messages[error.code] } };
  }
}

class JsonFault extends CordonError<JsonErrorCode> {
  readonly offset: number;
  constructor(code: JsonErrorCode, offset: number) {
    super(code, messages[code]);
    this.offset = offset;
  }
}

interface Frame {
  readonly array: Json[] | null;
  readonly object: { [key: string]: Json } | null;
  key: string;
  /** A key of this object has no shared reading, so the object has none. */
  unread: JsonErrorCode | null;
}

class JsonReader {
  readonly #bytes: Uint8Array;
  readonly #strict: boolean;
  readonly #depthMax: number;
  readonly #nodesMax: number;
  readonly #stack: Frame[] = [];
  #at = 0;
  #nodes = 0;

  constructor(bytes: Uint8Array, profile: JsonProfile) {
    this.#bytes = bytes;
    this.#strict = profile === 'arguments';
    this.#depthMax = this.#strict ? limits.argumentsDepthMax : limits.documentDepthMax;
    this.#nodesMax = this.#strict ? limits.argumentsNodesMax : limits.documentNodesMax;
  }

  read(): Json {
    if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb) throw new JsonFault('json-bom', 0);
    let done = this.#value();
    for (;;) {
      const frame = this.#stack.at(-1);
      if (frame === undefined) {
        if (done === undefined) throw new JsonFault('json-syntax', this.#at);
        if (this.#skip() !== -1) throw new JsonFault('json-trailing', this.#at);
        return done;
      }
      done = done === undefined ? this.#first(frame) : this.#next(frame, done);
    }
  }

  /** A whole value, or undefined after a container was opened (its frame is then on the stack). */
  #value(): Json | undefined {
    if (++this.#nodes > this.#nodesMax) throw new JsonFault('json-nodes', this.#at);
    const byte = this.#skip();
    switch (byte) {
      case 0x7b:
        return this.#open({ array: null, object: Object.create(null) as Record<string, Json>, key: '', unread: null });
      case 0x5b:
        return this.#open({ array: [], object: null, key: '', unread: null });
      case 0x22:
        return this.#text();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #open(frame: Frame): undefined {
    if (this.#stack.length >= this.#depthMax) throw new JsonFault('json-depth', this.#at);
    this.#stack.push(frame);
    this.#at++;
    return undefined;
  }

  /** Right after `[` or `{`: its end, or the first member. */
  #first(frame: Frame): Json | undefined {
    const byte = this.#skip();
    if (byte === (frame.array === null ? 0x7d : 0x5d)) return this.#close(frame);
    if (frame.array === null) this.#key(frame);
    return this.#value();
  }

  /** After a member: stores it, then reads the next one or the container's end. */
  #next(frame: Frame, done: Json): Json | undefined {
    if (frame.array !== null) frame.array.push(done);
    else if (frame.object !== null) frame.object[frame.key] = done;
    const byte = this.#skip();
    if (byte === (frame.array === null ? 0x7d : 0x5d)) return this.#close(frame);
    if (byte !== 0x2c) throw new JsonFault('json-syntax', this.#at);
    this.#at++;
    if (frame.array === null) this.#key(frame);
    return this.#value();
  }

  #close(frame: Frame): Json {
    this.#at++;
    this.#stack.pop();
    if (frame.unread !== null) return new Unread(frame.unread);
    return frame.array ?? frame.object ?? null;
  }

  #key(frame: Frame): void {
    this.#skip();
    const start = this.#at;
    if (this.#bytes[start] !== 0x22) throw new JsonFault('json-syntax', start);
    const key = this.#string();
    if (frame.object !== null && Object.hasOwn(frame.object, key)) throw new JsonFault('json-duplicate-key', start);
    if (!key.isWellFormed()) frame.unread = this.#odd('json-surrogate', start).why;
    frame.key = key;
    if (this.#skip() !== 0x3a) throw new JsonFault('json-syntax', this.#at);
    this.#at++;
  }

  #text(): Json {
    const start = this.#at;
    const text = this.#string();
    return text.isWellFormed() ? text : this.#odd('json-surrogate', start);
  }

  #string(): string {
    const result = readString(this.#bytes, this.#at);
    if (!result.ok) throw new JsonFault(result.code, result.offset);
    this.#at = result.end;
    return result.text;
  }

  #number(): Json {
    const start = this.#at;
    let end = start;
    // The longest run of characters that a number may have; the grammar judges it.
    while (isNumberByte(this.#bytes[end])) end++;
    if (end === start) throw new JsonFault('json-syntax', start);
    const reading = readNumber(latin(this.#bytes, start, end));
    if (!reading.ok && reading.code === 'json-syntax') throw new JsonFault('json-syntax', start);
    this.#at = end;
    return reading.ok ? reading.value : this.#odd(reading.code, start);
  }

  #word(word: string, value: boolean | null): Json {
    if (latin(this.#bytes, this.#at, this.#at + word.length) !== word) throw new JsonFault('json-syntax', this.#at);
    this.#at += word.length;
    return value;
  }

  #odd(code: JsonErrorCode, offset: number): Unread {
    if (this.#strict) throw new JsonFault(code, offset);
    return new Unread(code);
  }

  /** Moves over white space; the byte that stands there, or -1 at the end. */
  #skip(): number {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) return -1;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at++;
    }
  }
}

function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65;
}

function latin(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < Math.min(end, bytes.length); at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

const messages: Readonly<Record<JsonErrorCode, string>> = {
  'json-syntax': 'this is not JSON (RFC 8259)',
  'json-duplicate-key': 'the object has this key twice',
  'json-utf8': 'the text is not valid UTF-8',
  'json-bom': 'the text starts with a byte order mark',
  'json-trailing': 'there is something after the value',
  'json-surrogate': 'the text has half of a surrogate pair',
  'json-number': 'the number has no exact value that every reader shares',
  'json-depth': 'the value is nested too deeply',
  'json-nodes': 'the value has too many members',
  'json-bytes': 'the text is too long',
};
