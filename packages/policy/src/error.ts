import { CordonError } from '@cordon/protocol';

/** Faults of this package. A denial is never one of them: it is a {@link Decision}. */
export type PolicyErrorCode =
  | 'engine-unusable'
  | 'engine-failed'
  | 'engine-self-test'
  | 'record-mismatch'
  | 'record-spent'
  | 'tier-too-low'
  | 'permit-used'
  | 'permit-expired'
  | 'permit-mismatch'
  | 'permits-exhausted'
  | 'permit-unaddressed';

export class PolicyError extends CordonError<PolicyErrorCode> {}

/** What was wrong with a text that a person, a file or an agent gave; a value, never thrown. */
export interface Refusal<Code extends string = string> {
  readonly ok: false;
  readonly code: Code;
  readonly message: string;
  /** What would be accepted instead, if there is one obvious form. */
  readonly mend: string | null;
}

export function refuse<Code extends string>(code: Code, message: string, mend: string | null = null): Refusal<Code> {
  return { ok: false, code, message, mend };
}
