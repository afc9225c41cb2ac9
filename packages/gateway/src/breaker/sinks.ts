import { type BreakerLevel, beginProbe, healthy, noteOutcome, type SinkBreaker, sinkLevel } from '@cordon/policy';

/** How the destinations of a tenant answer, for all its sessions together. */
export class Sinks {
  readonly #max: number;
  /** Those heard of longest ago first; what is forgotten counts as healthy. */
  readonly #sinks = new Map<string, SinkBreaker>();

  constructor(max: number) {
    this.#max = max;
  }

  /** For one ask: whoever is answered 0 for a closed sink is its probe. */
  ask(resource: string, now: number): BreakerLevel {
    const sink = this.#sinks.get(resource);
    if (sink === undefined) return 0;
    const { level, probing } = sinkLevel(sink, now);
    if (probing) this.#sinks.set(resource, beginProbe(sink, now));
    return level;
  }

  /** Whether this outcome closed the sink, or opened it again. Nothing is kept of one that has not failed yet. */
  outcome(resource: string, failed: boolean, now: number): 'close' | 'open' | null {
    const known = this.#sinks.get(resource);
    if (known === undefined && !failed) return null;
    const before = known ?? healthy;
    const after = noteOutcome(before, failed, now);
    this.#sinks.delete(resource);
    this.#sinks.set(resource, after);
    const oldest = this.#sinks.size > this.#max ? this.#sinks.keys().next().value : undefined;
    if (oldest !== undefined) this.#sinks.delete(oldest);
    if (before.closedAt === null) return after.closedAt === null ? null : 'close';
    return after.closedAt === null ? 'open' : null;
  }

  closed(): string[] {
    return [...this.#sinks].filter(([, { closedAt }]) => closedAt !== null).map(([resource]) => resource);
  }

  reset(): number {
    const closed = this.closed().length;
    this.#sinks.clear();
    return closed;
  }
}
