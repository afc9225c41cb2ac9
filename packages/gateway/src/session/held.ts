/**
 * How many bytes of bodies are in memory at once. One session must not be able to fill the process that all of its
 * tenant's sessions share, so a session's share is taken from the gateway's as well.
 */
export class HeldBytes {
  readonly #max: number;
  readonly #parent: HeldBytes | null;
  #held = 0;

  constructor(max: number, parent: HeldBytes | null = null) {
    this.#max = max;
    this.#parent = parent;
  }

  /** false: no room here or above; nothing was counted. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#max) return false;
    if (this.#parent !== null && !this.#parent.take(bytes)) return false;
    this.#held += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#held -= bytes;
    this.#parent?.give(bytes);
  }
}

/** What one request holds; given back when the request is over, whatever became of it. */
export class Holding implements Disposable {
  readonly #from: HeldBytes;
  #bytes = 0;

  constructor(from: HeldBytes) {
    this.#from = from;
  }

  take(bytes: number): boolean {
    if (!this.#from.take(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  [Symbol.dispose](): void {
    this.#from.give(this.#bytes);
    this.#bytes = 0;
  }
}
