/** Repeatable choices from a seed (sfc32): the same seed tries the same inputs in the same order. */
export class Choices {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = 0x9e3779b9;
    for (let round = 0; round < 16; round++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#count++) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** 0 … below-1; 0 when there is nothing to choose from. */
  below(below: number): number {
    return below <= 1 ? 0 : this.u32() % below;
  }

  /** One in `of`. */
  once(of: number): boolean {
    return this.below(of) === 0;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)];
  }
}

/**
 * Choices that an input makes: structured things (a tree of files, a damaged journal) are built from bytes, so that
 * small changes of the bytes are small changes of the thing. Past the end everything is 0.
 */
export class InputChoices {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  below(below: number): number {
    if (below <= 1) return 0;
    return (below <= 256 ? this.u8() : this.u16()) % below;
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  /** Up to `max` bytes, as many as the next byte says. */
  bytes(max: number): Uint8Array {
    const length = Math.min(this.below(max + 1), Math.max(0, this.left));
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }

  rest(): Uint8Array {
    const part = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    return part;
  }
}
