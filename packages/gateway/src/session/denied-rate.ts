const windowMs = 60_000;

/**
 * How many denials a session has on record in this minute. Each is a decision and each is kept, so an agent that asks
 * without end for what it may not have would fill the disk of everybody: over the limit it is not decided about at all.
 */
export class DeniedRate {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;

  note(nowMs: number): void {
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
  }

  /** Seconds until it is decided about again; null: now. */
  waitSeconds(nowMs: number, perMinuteMax: number): number | null {
    const leftMs = this.#windowStartMs + windowMs - nowMs;
    return this.#inWindow < perMinuteMax || leftMs <= 0 ? null : Math.ceil(leftMs / 1000);
  }
}
