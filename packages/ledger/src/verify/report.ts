import { limits } from '../limits.ts';

export type VerifyPart =
  | 'entries'
  | 'complete'
  | 'tree'
  | 'heads'
  | 'witnesses'
  | 'approvals'
  | 'labels'
  | 'counters'
  | 'kill'
  | 'decisions';
export const verifyParts: readonly VerifyPart[] = [
  'entries',
  'complete',
  'tree',
  'heads',
  'witnesses',
  'approvals',
  'labels',
  'counters',
  'kill',
  'decisions',
];

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
  /** Nothing wrong was found. */
  readonly ok: boolean;
  /** Nothing wrong was found, but not everything could be looked at: never as good as `ok` alone. */
  readonly open: boolean;
  readonly counts: Readonly<Record<string, number>>;
  /** The first ones; `counts.failures` has them all. */
  readonly failures: readonly Failure[];
  /** What is no failure but worth knowing. */
  readonly notes: readonly string[];
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly open: boolean;
  readonly parts: readonly PartReport[];
}

/** Gathers what one part finds. */
export class Findings {
  readonly #part: VerifyPart;
  readonly #counts: Record<string, number> = { failures: 0 };
  readonly #failures: Failure[] = [];
  readonly #notes: string[] = [];
  /** What was left unlooked at, and how often. */
  readonly #left = new Map<string, number>();

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

  /** Something could not be looked at. */
  leave(why: string): void {
    if (this.#left.has(why) || this.#left.size < limits.failuresListedMax) {
      this.#left.set(why, (this.#left.get(why) ?? 0) + 1);
    }
  }

  count(what: string, by = 1): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + by;
  }

  report(): PartReport {
    const ok = this.#counts['failures'] === 0;
    return {
      part: this.#part,
      ok,
      open: ok && this.#left.size > 0,
      counts: this.#counts,
      failures: this.#failures,
      notes: [
        ...this.#notes,
        ...[...this.#left].map(([why, times]) => (times === 1 ? why : `${why} (${times} times)`)),
      ],
    };
  }
}

export function toReport(parts: readonly PartReport[]): VerifyReport {
  const ok = parts.every((part) => part.ok);
  return { ok, open: ok && parts.some((part) => part.open), parts };
}

/** One part that several have looked at. */
export function mergeParts(shares: readonly PartReport[]): PartReport {
  const [first] = shares;
  if (first === undefined || shares.length === 1) return first as PartReport;
  const counts: Record<string, number> = {};
  for (const share of shares) {
    for (const [what, count] of Object.entries(share.counts)) counts[what] = (counts[what] ?? 0) + count;
  }
  const ok = shares.every((share) => share.ok);
  return {
    part: first.part,
    ok,
    open: ok && shares.some((share) => share.open),
    counts,
    failures: shares.flatMap((share) => share.failures).slice(0, limits.failuresListedMax),
    notes: [...new Set(shares.flatMap((share) => share.notes))],
  };
}
