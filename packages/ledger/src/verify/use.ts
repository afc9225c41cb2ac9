import type { People } from './people.ts';
import type { RecordedDecision, RecordedPolicies } from './replay.ts';

/** One use of an approved hold, as the ledger tells it; nothing about the answers has been believed. */
export interface RecordedUse {
  readonly hold: unknown;
  /** The signed answers that were on record when it was used. */
  readonly envelopes: readonly unknown[];
  /** Who was known then, by which keys. */
  readonly directory: People['known'];
  readonly at: string;
  /** Uses before this one. */
  readonly used: number;
}

/**
 * How far people had approved what this decision allowed, from the signed answers alone; a text says why they do not
 * count. Injected, as the judge of decisions is.
 */
export type JudgeApproval = (
  use: RecordedUse,
  decision: RecordedDecision,
  policies: RecordedPolicies,
) => { readonly quorum: number; readonly ids: readonly string[]; readonly groups: readonly string[] } | string;
