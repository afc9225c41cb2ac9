import { limits } from '../limits.ts';

export type VerifyPart = 'entries' | 'complete' | 'tree';
export const verifyParts: readonly VerifyPart[] = ['entries', 'complete', 'tree'];

/** One thing that is wrong, and exactly where. */
export interface Failure {
  readonly code: string;
  /** `gw/0000000000000001.journal:1234`, `tile/0/000.p/7`, `session ses_…`. */
  readonly where: string;
  readonly detail: string;
  readonly writer?: string;
  readonly segment?: number;
  readonly offset?: number;
  readonly wseq?: number;
  readonly index?: number;
  readonly session?: string;
}

export interface PartReport {
  readonly part: VerifyPart;
  readonly ok: boolean;
  readonly counts: Readonly<Record<string, number>>;
  /** The first ones; `counts.failures` has them all. */
  readonly failures: readonly Failure[];
  /** What is no failure but worth knowing. */
  readonly notes: readonly string[];
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly parts: readonly PartReport[];
}

/** Gathers what one part finds. */
export class Findings {
  readonly #part: VerifyPart;
  readonly #counts: Record<string, number> = { failures: 0 };
  readonly #failures: Failure[] = [];
  readonly #notes: string[] = [];

  constructor(part: VerifyPart) {
    this.#part = part;
  }

  fail(failure: Failure): void {
    this.count('failures');
    if (this.#failures.length < limits.failuresListedMax) this.#failures.push(failure);
  }

  note(text: string): void {
    if (this.#notes.length < limits.failuresListedMax) this.#notes.push(text);
  }

  count(what: string, by = 1): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + by;
  }

  report(): PartReport {
    return {
      part: this.#part,
      ok: this.#counts['failures'] === 0,
      counts: this.#counts,
      failures: this.#failures,
      notes: this.#notes,
    };
  }
}
