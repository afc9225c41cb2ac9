import { failedOutcome, healthy, noteOutcome, policyLimits, type SinkBreaker } from '@cordon/policy';
import type { Entry } from '@cordon/protocol';
import { type CountedDecision, numberIn, textIn } from './entry.ts';

/** A gateway keeps as many destinations that failed (its limit `sinksMax`); of more, some are forgotten. */
const sinksMax = 1024;

/** How destinations answered, counted again from the outcomes of one gateway since it began. */
export class Destinations {
  readonly #sinks = new Map<string, SinkBreaker>();
  /** The next outcome of it is the one that closed or opened it, and stands in that already. */
  readonly #told = new Set<string>();

  get lost(): boolean {
    return this.#sinks.size > sinksMax;
  }

  addBreaker({ data }: Entry): void {
    const [act, resource, tick] = [data['act'], textIn(data['resource']), numberIn(data['tick'])];
    if (act === 'reset') {
      this.#sinks.clear();
      this.#told.clear();
      return;
    }
    this.#sinks.set(resource, act === 'close' ? { ...healthy, closedAt: tick } : healthy);
    this.#told.add(resource);
  }

  /** Null, or what is wrong. Entries without a time are of effects whose destination nobody counts. */
  addOutcome({ data }: Entry, resource: string): string | null {
    const { tick, status } = data;
    if (typeof tick !== 'number') return null;
    const failed = failedOutcome(textIn(data['code']), typeof status === 'number' ? status : null);
    if (failed === null || this.#told.delete(resource)) return null;
    const known = this.#sinks.get(resource);
    // Whether a probe was under way is on record only where it changed something.
    if ((known === undefined && !failed) || known?.closedAt != null) return null;
    const after = noteOutcome(known ?? healthy, failed, tick);
    this.#sinks.set(resource, after);
    if (after.closedAt === null || this.lost) return null;
    return `${resource} failed again and again, and nothing says that it was closed`;
  }

  /** Of an allow: null, or why it would have been left alone. */
  check({ resource, counters }: CountedDecision): string | null {
    const closedAt = this.#sinks.get(resource)?.closedAt ?? null;
    if (closedAt === null || this.lost || counters.tick >= closedAt + policyLimits.sinkClosedMs) return null;
    return `${resource} was closed ${counters.tick - closedAt} ms before, and was asked`;
  }
}
