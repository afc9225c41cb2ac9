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
  /** Of the disk that the ledger lies on. */
  readonly diskFreeBytes: number;
  readonly diskBytes: number;
}

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
  #diskFull = false;

  constructor(measure: () => Load, clock: Pick<Clock, 'monotonic'>, limits: GatewayLimits, report: Report) {
    this.#measure = measure;
    this.#clock = clock;
    this.#limits = limits;
    this.#report = report;
  }

  get shed(): Shed {
    return this.#shed;
  }

  /** The ledger's reserve is reached: whatever would be decided is denied. */
  get diskFull(): boolean {
    return this.#diskFull;
  }

  /** Before a session is taken on. @throws GatewayError `overloaded` */
  admitSession(): void {
    if (this.#shed === 'nothing') return;
    throw new GatewayError('overloaded', 'the gateway has no room for another session at the moment');
  }

  /** Measures anew; called once each `sweepMs`. */
  look(): void {
    const load = this.#measured();
    const before = this.#shed;
    this.#shed = this.#judge(load, this.#clock.monotonic());
    if (this.#shed !== before) this.#report('warn', 'overloaded', `refuses now: ${this.#shed}`);
    // What could not be measured at all (no descriptor left) says nothing about the disk.
    if (load !== null) this.#lookAtDisk(load);
  }

  #lookAtDisk({ diskFreeBytes, diskBytes }: Load): void {
    const limits = this.#limits;
    const reserve = Math.min(limits.ledgerReserveBytes, (diskBytes * limits.ledgerReservePercent) / 100);
    const full = !(diskFreeBytes >= reserve);
    if (full !== this.#diskFull) {
      const words = full ? 'has reached its reserve; everything is denied' : 'has room again';
      this.#report(full ? 'error' : 'info', 'disk-full', `the disk of the ledger ${words}`);
    }
    this.#diskFull = full;
  }

  #judge(load: Load | null, now: number): Shed {
    if (!this.#isOver(load, now)) {
      this.#shedSinceMs = null;
      return 'nothing';
    }
    this.#shedSinceMs ??= now;
    return now - this.#shedSinceMs >= this.#limits.shedRequestsAfterMs ? 'requests' : 'sessions';
  }

  /** Even to measure takes a descriptor: a process that has none left must not end over it. */
  #measured(): Load | null {
    try {
      return this.#measure();
    } catch {
      return null;
    }
  }

  /** Memory counts at once; one late turn of the loop does not, a loop that stays late does. */
  #isOver(load: Load | null, now: number): boolean {
    const { memoryBytes = Number.NaN, memoryBytesMax = Number.NaN, delayMs = Number.NaN } = load ?? {};
    const inTime = delayMs <= this.#limits.shedDelayMs;
    this.#lateSinceMs = inTime ? null : (this.#lateSinceMs ?? now);
    const late = this.#lateSinceMs !== null && now - this.#lateSinceMs >= this.#limits.shedDelayForMs;
    const room = memoryBytes <= (memoryBytesMax * this.#limits.shedMemoryPercent) / 100;
    return late || !room;
  }
}
