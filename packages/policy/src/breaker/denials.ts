import { limits } from '../limits.ts';

/** How far a way is closed: 0 open · 1 reads only · 2 nothing. It enters the facts; the core rules do the rest. */
export type BreakerLevel = 0 | 1 | 2;

/** One session's denials for one action at one resource. Times are monotonic milliseconds. */
export interface DenialBreaker {
  /** Of the last denials, oldest first; fewer than trip it. */
  readonly denials: readonly number[];
  readonly tripped: { readonly level: 1 | 2; readonly at: number } | null;
}

export const untripped: DenialBreaker = { denials: [], tripped: null };

/** Reads only for a while; closed for good, until a person resets it. */
export function denialLevel({ tripped }: DenialBreaker, now: number): BreakerLevel {
  if (tripped === null) return 0;
  return tripped.level === 2 || now < tripped.at + limits.breakerReadsOnlyMs ? tripped.level : 0;
}

/** What tripped once and trips again soon is no accident. */
export function noteDenial(breaker: DenialBreaker, now: number): DenialBreaker {
  const { tripped } = breaker;
  if (tripped?.level === 2) return breaker;
  const denials = [...breaker.denials.filter((at) => at > now - limits.breakerWindowMs), now];
  if (denials.length < limits.breakerDenialsMax) return { denials, tripped };
  const again = tripped !== null && now < tripped.at + limits.breakerAgainWithinMs;
  return { denials: [], tripped: { level: again ? 2 : 1, at: now } };
}

/** Of a session's own breaker and a destination's, the stricter. */
export function levelOf({ own, sink }: { readonly own: BreakerLevel; readonly sink: BreakerLevel }): BreakerLevel {
  return sink > own ? sink : own;
}
