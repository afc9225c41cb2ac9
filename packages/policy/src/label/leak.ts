import type { HttpArgs, Intent, RecordValue } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import { limits } from '../limits.ts';
import { hostOf, type Sink, segmentsOf } from './sink.ts';

/**
 * Before each text, in a description of a read that somebody who saw all earlier ones could rebuild it from: is it new or
 * known, is it the last of its list, and 14 bits that say how long it is, or which of the known ones.
 */
const headBytes = 2;
/** Once a read: which method, which lists are empty, whether the headers are a list that is known, whether a body follows. */
const openingBytes = 1;

/** What the agent chose of a read, beside what its grant fixes. */
export interface Chosen {
  /** Segments of the path, pairs of the query, a host below a wildcard. */
  readonly texts: readonly string[];
  /** Name and value, in order. A client sends most of its lists again. */
  readonly headers: readonly string[];
  /** As it is. */
  readonly bodyBytes: number;
}

export function chosenIn(intent: Intent, sinks: readonly Sink[]): Chosen {
  const { query, headers, search } = intent.args as Partial<HttpArgs> & { readonly search?: RecordValue };
  const fixed = fixedSegments(sinks);
  const path = segmentsOf(intent).filter((_segment, at) => !fixed.has(at));
  const pairs = Array.isArray(query) ? (query as HttpArgs['query']) : [];
  const fields = Array.isArray(headers) ? (headers as HttpArgs['headers']) : [];
  return {
    texts: [
      ...path,
      ...queryTexts(pairs, typeof search === 'string' ? search : null),
      ...(sinks.every(({ wildcard }) => wildcard) ? [hostOf(intent) ?? intent.resource] : []),
    ],
    headers: fields.map(([name, value]) => `${name}: ${value}`),
    bodyBytes: intent.payload.bytes,
  };
}

/** The pairs, where they are all that the query says; else how it was written was chosen too, and it is one text. */
function queryTexts(pairs: HttpArgs['query'], search: string | null): string[] {
  const each = pairs.map(([name, value]) => `${name}=${value}`);
  return (search === null || search === each.join('&') ? each : [search]).map((text) => `?${text}`);
}

/**
 * An upper bound of what reads tell by their own bytes: the length of a description from which somebody who knows the
 * grants and every earlier read could rebuild this one (`leak-bound.test.ts` does). Not counted: when it is sent, and that
 * it is sent at all.
 */
export class LeakMeter {
  readonly #texts = new Set<string>();
  /** Digests: a list is as long as the request's head. */
  readonly #lists = new Set<string>();
  #used: number;

  /** `used`: what was counted before a gateway that died; which texts it knew is forgotten, and they cost anew. */
  constructor(used = 0) {
    this.#used = used;
  }

  get used(): number {
    return this.#used;
  }

  /** Bytes of this one read; nothing is counted yet. */
  costOf({ texts, headers, bodyBytes }: Chosen): number {
    const body = bodyBytes === 0 ? 0 : headBytes + bodyBytes;
    const each = this.#costOf(headers);
    const head = this.#lists.has(digestOf(headers)) ? Math.min(headBytes, each) : each;
    return openingBytes + this.#costOf(texts) + head + body;
  }

  hasRoomFor(cost: number): boolean {
    return cost <= limits.leakRequestBytesMax && this.#used + cost <= limits.leakSessionBytesMax;
  }

  /** It goes out. */
  take(chosen: Chosen): void {
    this.#used += this.costOf(chosen);
    for (const text of [...chosen.texts, ...chosen.headers]) keep(this.#texts, text);
    keep(this.#lists, digestOf(chosen.headers));
  }

  #costOf(texts: readonly string[]): number {
    return texts.reduce((sum, text) => sum + headBytes + (this.#texts.has(text) ? 0 : Buffer.byteLength(text)), 0);
  }
}

function keep(known: Set<string>, text: string): void {
  if (known.size < limits.leakTextsMax) known.add(text);
}

function digestOf(headers: readonly string[]): string {
  return digestBytes(JSON.stringify(headers));
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
