import type { Clock } from '@cordon/protocol';

/** A clock that stands still until a test moves it. Both readings move together unless the wall clock is set apart. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;

  constructor(wallMs: number = Date.UTC(2030, 0, 1)) {
    this.#wallMs = wallMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** The operator (or an attacker of the host's time source) sets the wall clock; the monotonic one does not follow. */
  setWall(ms: number): void {
    this.#wallMs = ms;
  }
}
