import { takeRate } from '@cordon/policy';
import type { CountedDecision } from './entry.ts';

/** `rate:30/60000ms@session/web-1`, as decisions name what they were allowed by. */
const form = /^rate:(\d{1,15})\/(\d{1,15})ms@(.+)$/;

/** The rates of one session's grants, taken again by what was allowed. */
export class SessionRates {
  readonly #states = new Map<string, number>();
  #now = 0;

  /** Null, or which rate had no room. What was allowed and could not be recorded would only make it less. */
  take({ rates, counters }: CountedDecision): string | null {
    // Two decisions of one turn may stand in the journal the other way round.
    this.#now = Math.max(this.#now, counters.tick);
    let over: string | null = null;
    for (const text of rates) {
      const [, count, windowMs, policy] = form.exec(text) ?? [];
      if (count === undefined || windowMs === undefined || policy === undefined) return `${text} is no rate`;
      const rate = { count: Number(count), windowMs: Number(windowMs) };
      const taken = takeRate(this.#states.get(policy), rate, this.#now);
      if (taken.ok) this.#states.set(policy, taken.state);
      else over ??= `${text} had no room for ${Math.ceil(taken.retryAfterMs)} ms`;
    }
    return over;
  }
}
