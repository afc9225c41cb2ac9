import { SeededRandom } from '@cordon/testkit';

/** Choices that a seed repeats; when they fall is still the machine's. */
export class Dice {
  readonly seed: number;
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = new SeededRandom(seed);
  }

  /** 0 ≤ n < `below` */
  number(below: number): number {
    return Buffer.from(this.#random.bytes(4)).readUInt32LE() % below;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.number(items.length)] ?? items[0];
  }
}
