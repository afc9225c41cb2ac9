/** Least recently used out. A Map keeps the order of insertion, so a use is a removal and an insertion. */
export class Lru<Value> {
  readonly #entriesMax: number;
  readonly #entries = new Map<string, Value>();
  /** What is last already need not be put there. */
  #last: string | null = null;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || key === this.#last) return value;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#last = key;
    return value;
  }

  set(key: string, value: Value): void {
    if (this.#entriesMax === 0) return;
    if (!this.#entries.has(key) && this.#entries.size >= this.#entriesMax) this.dropOldest();
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#last = key;
  }

  dropOldest(): Value | undefined {
    const [oldest] = this.#entries;
    if (oldest === undefined) return undefined;
    this.#entries.delete(oldest[0]);
    return oldest[1];
  }

  clear(): void {
    this.#entries.clear();
  }
}
