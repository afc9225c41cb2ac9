import { countersMax, instrumentation, noteSlots, placeSlots, placesFrom } from './counters.ts';
import type { Feedback } from './target.ts';

/** 1, 2, 3, 4–7, 8–15, 16–31, 32–127, 128 and more: a loop that runs once more often is news only when it is much more. */
const bucketOf = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count < 4) return count === 0 ? 0 : 1 << (count - 1);
  return 1 << (count < 8 ? 3 : count < 16 ? 4 : count < 32 ? 5 : count < 128 ? 6 : 7);
});

/** What has been reached so far, and what the last input added. */
export class Coverage implements Feedback {
  readonly #counters = instrumentation.counters;
  readonly #seen = new Uint8Array(this.#counters.length);
  readonly #notes = new Map<string, number>();
  #placesUsed = false;

  note(what: string): void {
    const slot = this.#notes.get(what) ?? Math.min(this.#notes.size, noteSlots - 1);
    this.#notes.set(what, slot);
    this.#counters[countersMax + slot] = 1;
  }

  reached(place: number): void {
    this.#placesUsed = true;
    this.#counters[placesFrom + (place % placeSlots)] = 1;
  }

  /** Before an input: nothing of another one is counted. */
  reset(): void {
    this.#counters.fill(0, 0, instrumentation.state.used);
    this.#counters.fill(0, countersMax, countersMax + this.#notes.size);
    if (this.#placesUsed) this.#counters.fill(0, placesFrom);
  }

  /** Remembers what was reached; true when something was news. `places` also lists the counters that are not zero. */
  take(places: number[] | null): boolean {
    let news = this.#scan(0, instrumentation.state.used, places);
    news = this.#scan(countersMax, countersMax + this.#notes.size, places) || news;
    if (this.#placesUsed) news = this.#scan(placesFrom, this.#counters.length, places) || news;
    return news;
  }

  /** Blocks of our source that ran, and of how many; for native code only the places that were reached. */
  summary(): { readonly reached: number; readonly of: number; readonly native: number } {
    const count = (from: number, to: number): number =>
      this.#seen.subarray(from, to).reduce((sum, one) => sum + Math.sign(one), 0);
    return {
      reached: count(0, countersMax),
      of: instrumentation.state.used,
      native: count(placesFrom, this.#seen.length),
    };
  }

  #scan(from: number, to: number, places: number[] | null): boolean {
    let news = false;
    for (let at = from; at < to; at++) {
      const count = this.#counters[at] ?? 0;
      if (count === 0) continue;
      places?.push(at);
      const bucket = bucketOf[count] ?? 0;
      const seen = this.#seen[at] ?? 0;
      if ((seen & bucket) !== 0) continue;
      this.#seen[at] = seen | bucket;
      news = true;
    }
    return news;
  }
}
