/** What is remembered of a permit. Times in milliseconds since the epoch. */
export interface PermitMark {
  readonly id: string;
  readonly kid: string;
  readonly boot: string;
  readonly session: string;
  readonly epoch: number;
  readonly issuedMs: number;
  readonly untilMs: number;
}

/** What the permits that were used before say about this one. */
export interface Standing {
  readonly used: boolean;
  /** A later permit of the same key came from another start of its signer. */
  readonly outlived: boolean;
  /** A permit of the same session came after a further stop or lift. */
  readonly superseded: boolean;
}

export type Taken = 'taken' | 'used' | 'outlived' | 'superseded' | 'full';

/**
 * The memory by which a permit is used once. INVARIANT: it outlives the process, it is one for all processes that act
 * for this effector, and nothing in it is forgotten before the permit has expired.
 */
export interface UsedPermits {
  look(mark: PermitMark, nowMs: number): Promise<Standing>;
  /** Looks again and marks it, in one step. When it resolves with `taken`, the mark is on disk. */
  take(mark: PermitMark, nowMs: number): Promise<Taken>;
}
