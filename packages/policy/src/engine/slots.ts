import { Lru } from './lru.ts';

/** Names under which the engine keeps something parsed, by what is kept. */
export class Slots {
  readonly #prefix: string;
  readonly #max: number;
  readonly #held: Lru<string>;

  constructor(prefix: string, max: number) {
    this.#prefix = prefix;
    this.#max = max;
    this.#held = new Lru(max);
  }

  /** Parsing under a used name replaces what was there, which is the only way in which the engine frees anything. */
  of(key: string, parse: (slot: string) => void): string {
    const held = this.#held.get(key);
    if (held !== undefined) return held;
    const next = `${this.#prefix}/${this.#held.size}`;
    const slot = this.#held.size < this.#max ? next : (this.#held.dropOldest() ?? next);
    parse(slot);
    this.#held.set(key, slot);
    return slot;
  }

  clear(): void {
    this.#held.clear();
  }
}
