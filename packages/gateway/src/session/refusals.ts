/** How many refused heads of a session are recorded one by one; a flood is counted instead, so it cannot fill a disk. */
export class Refusals {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;
  #suppressed = 0;

  /** null: only counted. Else the number of those that were only counted since the last recorded one. */
  admit(nowMs: number, perMinuteMax: number): number | null {
    if (nowMs - this.#windowStartMs >= 60_000) {
      this.#windowStartMs = nowMs;
      this.#inWindow = 0;
    }
    if (this.#inWindow >= perMinuteMax) {
      this.#suppressed += 1;
      return null;
    }
    this.#inWindow += 1;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
