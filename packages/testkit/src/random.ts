import type { Random } from '@cordon/protocol';

/**
 * Repeatable bytes from a seed (xorshift128 over a splitmix32 start). Never for keys: it exists so that a failing
 * test fails again.
 */
export class SeededRandom implements Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.from({ length: 4 }, (_, lane) => splitmix(seed + lane * 0x9e3779b9));
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1;
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let at = 0; at < count; at += 1) out[at] = this.#next() & 0xff;
    return out;
  }

  #next(): number {
    const state = this.#state;
    let mixed = state[3] ?? 0;
    const first = state[0] ?? 0;
    state.copyWithin(1, 0, 3);
    mixed ^= mixed << 11;
    mixed ^= mixed >>> 8;
    state[0] = mixed ^ first ^ (first >>> 19);
    return state[0] ?? 0;
  }
}

function splitmix(seed: number): number {
  let mixed = (seed + 0x9e3779b9) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
