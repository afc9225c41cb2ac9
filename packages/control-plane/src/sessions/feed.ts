/** Tells those who follow sessions that one of them changed; they read the record themselves. */
export class SessionFeed {
  readonly #listeners = new Set<(session: string) => void>();

  changed(session: string): void {
    for (const listener of this.#listeners) listener(session);
  }

  /** Ids of sessions that changed, each at least once after its last change, until `signal`. */
  async *follow(signal: AbortSignal): AsyncGenerator<string> {
    const fresh = new Set<string>();
    let wake: (() => void) | null = null;
    const listener = (session: string) => {
      fresh.add(session);
      wake?.();
    };
    const onAbort = () => wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#listeners.add(listener);
    try {
      while (!signal.aborted) {
        for (const session of [...fresh]) {
          fresh.delete(session);
          yield session;
        }
        if (fresh.size > 0) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
          // Aborted while a value was being consumed: the event has already been.
          if (signal.aborted) resolve();
        });
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }
}
