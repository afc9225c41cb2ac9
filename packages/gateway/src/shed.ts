import type { Clock } from '@cordon/protocol';
import type { Report } from './ask.ts';
import { GatewayError } from './error.ts';
import type { GatewayLimits } from './limits.ts';

/** How much this process bears at this moment; measured by the composition root. */
export interface Load {
  /** Resident bytes, and how many the process may have: its cgroup's limit, else what the host has. */
  readonly memoryBytes: number;
  readonly memoryBytesMax: number;
  /** p99 of how late the event loop was since it was measured last. */
  readonly delayMs: number;
}

const unmeasured: Load = { memoryBytes: Number.NaN, memoryBytesMax: Number.NaN, delayMs: Number.NaN };

/** What is refused meanwhile. Sessions that run are the last to feel it, and a stop never does. */
export type Shed = 'nothing' | 'sessions' | 'requests';

/**
 * Refuses work before the process is too full or too late to refuse anything: new sessions at once, new requests when
 * that did not help. What is under way goes on. A measure that is no number counts as too much (I3).
 */
export class Shedding {
  readonly #measure: () => Load;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limits: GatewayLimits;
  readonly #report: Report;
  #lateSinceMs: number | null = null;
  #shedSinceMs: number | null = null;
  #shed: Shed = 'nothing';

  constructor(measure: () => Load, clock: Pick<Clock, 'monotonic'>, limits: GatewayLimits, report: Report) {
    this.#measure = measure;
    this.#clock = clock;
    this.#limits = limits;
    this.#report = report;
  }

  get shed(): Shed {
    return this.#shed;
  }

  /** Before a session is taken on. @throws GatewayError `overloaded` */
  admitSession(): void {
    if (this.#shed === 'nothing') return;
    throw new GatewayError('overloaded', 'the gateway has no room for another session at the moment');
  }

  /** Measures anew; called once each `sweepMs`. */
  look(): void {
    const before = this.#shed;
    this.#shed = this.#judge(this.#clock.monotonic());
    if (this.#shed !== before) this.#report('warn', 'overloaded', `refuses now: ${this.#shed}`);
  }

  #judge(now: number): Shed {
    if (!this.#isOver(now)) {
      this.#shedSinceMs = null;
      return 'nothing';
    }
    this.#shedSinceMs ??= now;
    return now - this.#shedSinceMs >= this.#limits.shedRequestsAfterMs ? 'requests' : 'sessions';
  }

  /** Even to measure takes a descriptor: a process that has none left must not end over it. */
  #measured(): Load {
    try {
      return this.#measure();
    } catch {
      return unmeasured;
    }
  }

  /** Memory counts at once; one late turn of the loop does not, a loop that stays late does. */
  #isOver(now: number): boolean {
    const { memoryBytes, memoryBytesMax, delayMs } = this.#measured();
    const inTime = delayMs <= this.#limits.shedDelayMs;
    this.#lateSinceMs = inTime ? null : (this.#lateSinceMs ?? now);
    const late = this.#lateSinceMs !== null && now - this.#lateSinceMs >= this.#limits.shedDelayForMs;
    const room = memoryBytes <= (memoryBytesMax * this.#limits.shedMemoryPercent) / 100;
    return late || !room;
  }
}
