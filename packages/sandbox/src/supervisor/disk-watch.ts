import type { Clock } from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import { runTree } from '../workspace/tree.ts';

export interface DiskWatchOptions {
  readonly launch: string;
  readonly folders: readonly string[];
  readonly bytesMax: number;
  readonly clock: Clock;
  /** Frozen sessions write nothing. */
  readonly isPaused: () => boolean;
  readonly onOver: (bytes: number) => void;
}

/**
 * Measures what a session has written to the host's disk, about once a second. There is no quota in the kernel here:
 * between two looks a session can exceed its limit by what the disk takes in a second, and is then killed.
 */
export class DiskWatch implements Disposable {
  readonly #options: DiskWatchOptions;
  readonly #abort = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
    this.#schedule(supervisorLimits.usageEveryMs);
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(waitMs: number): void {
    if (!this.#abort.signal.aborted) this.#timer = setTimeout(() => void this.#look(), waitMs).unref();
  }

  async #look(): Promise<void> {
    const { launch, folders, bytesMax, clock, onOver } = this.#options;
    const before = clock.monotonic();
    if (!this.#options.isPaused()) {
      try {
        const text = await runTree(launch, ['usage', String(bytesMax), ...folders], this.#abort.signal);
        const bytes = Number(text.toString('latin1').split(' ')[0]);
        if (bytes > bytesMax) {
          onOver(bytes);
          return;
        }
      } catch {
        // Ended, or the folder went away with the session: the next look, if there is one, says more.
      }
    }
    this.#schedule(
      Math.max(supervisorLimits.usageEveryMs, (clock.monotonic() - before) * supervisorLimits.usageShareMax),
    );
  }
}
