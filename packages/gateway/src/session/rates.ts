import { type Allow, takeRate } from '@cordon/policy';

/** Where the rates of a session's grants stand (GCRA), one number per policy that carries `@rate`. */
export class Rates {
  readonly #states = new Map<string, number>();

  /** 0: within every rate, and counted. Else the milliseconds until the strictest one has room again. */
  take(allow: Allow, nowMs: number): number {
    const taken: Array<readonly [string, number]> = [];
    for (const rate of allow.obligations.rates) {
      const result = takeRate(this.#states.get(rate.policy), rate, nowMs);
      if (!result.ok) return Math.max(1, Math.ceil(result.retryAfterMs));
      taken.push([rate.policy, result.state]);
    }
    for (const [policy, state] of taken) this.#states.set(policy, state);
    return 0;
  }
}
