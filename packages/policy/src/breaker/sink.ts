import { limits } from '../limits.ts';
import type { BreakerLevel } from './denials.ts';

/** How a destination answers, whoever asks. Times are monotonic milliseconds. */
export interface SinkBreaker {
  readonly outcomes: readonly { readonly at: number; readonly failed: boolean }[];
  readonly closedAt: number | null;
  /** One ask that may find out whether it is better now. */
  readonly probeAt: number | null;
}

export const healthy: SinkBreaker = { outcomes: [], closedAt: null, probeAt: null };

/** 0 also for the one ask that probes: `probing` says that this would be it. */
export function sinkLevel(sink: SinkBreaker, now: number): { readonly level: BreakerLevel; readonly probing: boolean } {
  const { closedAt, probeAt } = sink;
  if (closedAt === null) return { level: 0, probing: false };
  // A probe that was denied or lost never reports; the next one has its turn after as long a wait.
  const since = Math.max(closedAt, probeAt ?? closedAt);
  return now < since + limits.sinkClosedMs ? { level: 2, probing: false } : { level: 0, probing: true };
}

export function beginProbe(sink: SinkBreaker, now: number): SinkBreaker {
  return { ...sink, probeAt: now };
}

/** The first outcome behind a probe decides; else the share of failures among enough of them. */
export function noteOutcome(sink: SinkBreaker, failed: boolean, now: number): SinkBreaker {
  if (sink.closedAt !== null) {
    if (sink.probeAt === null) return sink;
    return failed ? { outcomes: [], closedAt: now, probeAt: null } : healthy;
  }
  const recent = sink.outcomes.filter(({ at }) => at > now - limits.sinkWindowMs);
  const outcomes = [...recent, { at: now, failed }].slice(-limits.sinkOutcomesMax);
  const failures = outcomes.filter((each) => each.failed).length;
  const closes = outcomes.length >= limits.sinkAsksMin && failures * 100 >= outcomes.length * limits.sinkFailedPercent;
  return closes ? { outcomes: [], closedAt: now, probeAt: null } : { ...sink, outcomes };
}

/** What no request can provoke: else one session could close a destination for all. */
const sinkFailures: ReadonlySet<string> = new Set([
  'upstream-connect',
  'upstream-connect-timeout',
  'upstream-tls',
  'upstream-tls-timeout',
]);

/**
 * Whether the destination failed; null when it was not asked, or something of ours or the agent's ended it. 502, 503, 504
 * (RFC 9110 §15.6): whoever asks gets them. A 500 may be the answer to one request.
 */
export function failedOutcome(code: string, status: number | null): boolean | null {
  if (sinkFailures.has(code)) return true;
  return status === null ? null : status >= 502 && status <= 504;
}
