import { CordonError } from '@cordon/protocol';
import type { SandboxErrorCode } from '../error.ts';

/** Writes a description for the native program: little-endian integers; strings and bytes with their length in front. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 8;
  readonly #magic: number;

  constructor(magic: number) {
    this.#magic = magic;
  }

  u32(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw invalid(`${value} is no 32-bit number`);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return this.#add(bytes);
  }

  u64(value: bigint | number): this {
    const wide = BigInt(value);
    if (wide < 0n || wide > 0xffff_ffff_ffff_ffffn) throw invalid(`${value} is no 64-bit number`);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, wide, true);
    return this.#add(bytes);
  }

  bytes(value: Uint8Array): this {
    return this.u32(value.length).#add(value);
  }

  /** INVARIANT: no NUL inside, so that the C side and this side mean the same string. */
  string(value: string): this {
    if (value.includes('\0')) throw invalid('a string holds a NUL');
    if (!value.isWellFormed()) throw invalid('a string is no Unicode text');
    const bytes = new TextEncoder().encode(value);
    return this.bytes(bytes).#add(new Uint8Array(1));
  }

  strings(values: readonly string[]): this {
    this.u32(values.length);
    for (const value of values) this.string(value);
    return this;
  }

  /** Magic, whole length, then everything written. */
  finish(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    const view = new DataView(whole.buffer);
    view.setUint32(0, this.#magic, true);
    view.setUint32(4, this.#length, true);
    let at = 8;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  #add(part: Uint8Array): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }
}

function invalid(message: string): CordonError {
  return new CordonError<SandboxErrorCode>('spec-invalid', `description: ${message}`);
}
