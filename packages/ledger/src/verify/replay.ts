import type { Entry, RecordValue } from '@cordon/protocol';

/** A decision as the ledger holds it. Nothing in `body` has been believed yet, only hashed. */
export interface RecordedDecision {
  readonly entry: Entry;
  /** `decision`, `intent`, `facts`, `approval`, as the gateway wrote them; parsed JSON. */
  readonly body: { readonly [member: string]: unknown };
}

/** What the ledger says was in force; each as it was recorded, null when no entry says so. */
export interface RecordedPolicies {
  /** The tenant's policy of a generation. */
  tenant(generation: number): unknown;
  /** A session's own policy of a revision. */
  session(session: string, revision: number): unknown;
  /** Whose signatures put a generation in force; none for the files of a folder. */
  signers(generation: number): readonly RecordValue[];
  /** The name of who started a session. */
  starter(session: string): string | null;
}

export type Replayed =
  | { readonly kind: 'same' }
  | { readonly kind: 'differs'; readonly code: string; readonly detail: string }
  | { readonly kind: 'not-replayable'; readonly why: string };

/**
 * Judges a recorded decision again and compares bytes. Injected by whoever composes the verifier: the ledger knows no
 * policy, so a mistake in one cannot hide in the other.
 */
export type Replay = (decision: RecordedDecision, policies: RecordedPolicies) => Replayed;
