/**
 * Lets requests wait for what the control plane has yet to say: at the start of a gateway sockets are there before
 * the policy is. Bounded in time; whoever waited decides anew with what it has.
 */
export class Arrivals {
  readonly #waitMs: number;
  readonly #waiting = new Map<() => void, () => boolean>();

  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /** Resolves when `there` holds, or after the wait; never rejects. */
  wait(there: () => boolean): Promise<void> {
    if (there()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, this.#waitMs);
      this.#waiting.set(done, there);
    });
  }

  check(): void {
    for (const [done, there] of [...this.#waiting]) if (there()) done();
  }

  end(): void {
    for (const done of [...this.#waiting.keys()]) done();
  }
}
