import { limits } from '../limits.ts';

/** One refusal as the agent may read it again at `http://cordon.internal/denials`. */
export interface Denial {
  readonly at: string;
  readonly code: string;
  readonly attempt: string | null;
  readonly intent: string | null;
  /** Method and URL, bounded and escaped. */
  readonly request: string;
  readonly detail: string;
  readonly next_steps: readonly string[];
}

/** The most recent denials of one session; the ledger has all of them. */
export class Denials {
  readonly #kept: Denial[] = [];

  add(denial: Denial): void {
    this.#kept.push(denial);
    if (this.#kept.length > limits.denialsMax) this.#kept.shift();
  }

  /** Newest first. */
  recent(): readonly Denial[] {
    return this.#kept.toReversed();
  }
}
