import type { Clock } from '@cordon/protocol';

/**
 * The gateway's right to decide, lent by the control plane and renewed by each `beat` (I3). When nothing was heard for
 * longer than the lease, every decision is a deny until the control plane is back: it may have stopped a session or
 * changed a policy, and we would not know.
 */
export class RightToDecide {
  readonly #clock: Clock;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  renew(leaseMs: number): void {
    this.#untilMs = this.#clock.monotonic() + leaseMs;
  }

  /** Lent at least once; before that we are only starting. */
  get wasLent(): boolean {
    return this.#untilMs !== Number.NEGATIVE_INFINITY;
  }

  get alive(): boolean {
    return this.#clock.monotonic() < this.#untilMs;
  }

  /** The end of the right as wall-clock time, for facts: a replay must see the same comparison. */
  freshUntil(): string {
    const left = Math.max(this.#untilMs - this.#clock.monotonic(), -1);
    return new Date(Math.floor(this.#clock.now() + left)).toISOString();
  }
}
