export type Outcome = 'allow' | 'deny' | 'hold';

/** Every reason code of a decision. A client may read them; `docs/reference/codes.md` explains each. */
export type DecisionCode =
  | 'allowed'
  | 'no-grant'
  | 'forbidden'
  | 'policy-error'
  | 'request-invalid'
  | 'slice-incomplete'
  | 'unknown-action'
  | 'obligation-unknown'
  | 'over-limit'
  | 'flow-R0'
  | 'flow-R1'
  | 'flow-R2'
  | 'flow-R3'
  | 'flow-R4'
  | 'flow-R5'
  | 'flow-R6'
  | 'flow-R7'
  | 'flow-R8'
  | 'stale-policy'
  | 'session-stopped'
  | 'approval-required'
  | 'approval-unsatisfiable'
  | 'slow-decision';

/** The canonical record of a decision; what is hashed and what the ledger names. Lists are sorted by code unit. */
export interface DecisionRecord {
  readonly v: 'decision/1';
  readonly attempt: string;
  readonly intent: string;
  readonly facts: string;
  readonly entities: string;
  readonly policy: {
    readonly generation: number;
    readonly revision: number;
    readonly digest: string;
    readonly engine: string;
  };
  readonly outcome: Outcome;
  readonly rung: { readonly quorum: number; readonly strong: boolean } | null;
  readonly code: string;
  readonly reasons: readonly string[];
  readonly obligations: readonly string[];
  readonly approvals: readonly string[];
  readonly next: readonly string[];
}
