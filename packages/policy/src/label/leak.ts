import type { HttpArgs, Intent, RecordValue } from '@cordon/protocol';
import { limits } from '../limits.ts';
import { hostOf, type Sink, segmentsOf } from './sink.ts';

/** How often a text that was sent before may be named again: two bytes choose among fewer than 2^16. */
const againBytes = 2;

/** The texts of a read that the agent chose: what its grant does not fix. A body counts as it is. */
export interface Chosen {
  readonly texts: readonly string[];
  readonly bodyBytes: number;
}

export function chosenIn(intent: Intent, sinks: readonly Sink[]): Chosen {
  const { query, headers, search } = intent.args as Partial<HttpArgs> & { readonly search?: RecordValue };
  const fixed = fixedSegments(sinks);
  const path = segmentsOf(intent).filter((_segment, at) => !fixed.has(at));
  const pairs = Array.isArray(query) ? (query as HttpArgs['query']) : [];
  const fields = Array.isArray(headers) ? (headers as HttpArgs['headers']) : [];
  // The pairs are a reading of the query; what separates them was chosen too.
  const written = typeof search === 'string' ? search.length : 0;
  const read = pairs.reduce((sum, [name, value]) => sum + name.length + value.length + 2, 0);
  return {
    texts: [
      ...path,
      ...pairs.map(([name, value]) => `?${name}=${value}`),
      ...fields.map(([name, value]) => `${name}: ${value}`),
      ...(sinks.every(({ wildcard }) => wildcard) ? [hostOf(intent) ?? intent.resource] : []),
    ],
    bodyBytes: intent.payload.bytes + Math.max(0, written - read),
  };
}

/**
 * An upper bound of what one read tells by its own bytes, as long as a text that was sent before is only named again.
 * Not counted: when it is sent, and that it is sent at all.
 */
export class LeakMeter {
  readonly #sent = new Set<string>();
  #used = 0;

  get used(): number {
    return this.#used;
  }

  /** Bytes of this one read; nothing is counted yet. One more for its method. */
  costOf({ texts, bodyBytes }: Chosen): number {
    let cost = bodyBytes + 1;
    for (const text of texts) cost += this.#sent.has(text) ? againBytes : Buffer.byteLength(text) + againBytes;
    return cost;
  }

  hasRoomFor(cost: number): boolean {
    return cost <= limits.leakRequestBytesMax && this.#used + cost <= limits.leakSessionBytesMax;
  }

  /** It goes out. */
  take(chosen: Chosen): void {
    this.#used += this.costOf(chosen);
    for (const text of chosen.texts) if (this.#sent.size < limits.leakTextsMax) this.#sent.add(text);
  }
}

/** Segments that a grant writes out; of several grants, those of the one that fixes most. */
function fixedSegments(sinks: readonly Sink[]): ReadonlySet<number> {
  let best: readonly number[] = [];
  for (const { rule } of sinks) {
    const fixed = rule.path.segments.flatMap((segment, at) => (segment === null ? [] : [at]));
    if (fixed.length > best.length) best = fixed;
  }
  return new Set(best);
}
