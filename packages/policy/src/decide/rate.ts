import type { Rate } from '../gate/annotation.ts';

export type RateAnswer =
  | { readonly ok: true; readonly state: number }
  | { readonly ok: false; readonly retryAfterMs: number };

/**
 * Generic cell rate algorithm (ITU-T I.371) for one request: `count` per window, all of which may come at once.
 * The caller keeps the state, one number per session and policy, and gives a monotonic time.
 */
export function takeRate(state: number | undefined, rate: Rate, nowMs: number): RateAnswer {
  const step = rate.windowMs / rate.count;
  const arrival = Math.max(state ?? nowMs, nowMs);
  const early = arrival - nowMs - (rate.windowMs - step);
  // Half a microsecond of tolerance, so that sums of fractions do not refuse the last request of a burst.
  return early > 0.0005 ? { ok: false, retryAfterMs: Math.ceil(early) } : { ok: true, state: arrival + step };
}
