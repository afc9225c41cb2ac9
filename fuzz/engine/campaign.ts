import { performance } from 'node:perf_hooks';
import { Choices } from './choices.ts';
import { instrumentation } from './counters.ts';
import { Coverage } from './coverage.ts';
import type { CurrentInput } from './current.ts';
import { mutate } from './mutate.ts';
import type { Target } from './target.ts';

export interface CampaignOptions {
  readonly seed: number;
  /** Whichever is met first. */
  readonly runs: number;
  readonly milliseconds: number;
  /** Always tried, and first: one that fails is a regression. */
  readonly regressions: readonly Uint8Array[];
  readonly corpus: readonly Uint8Array[];
}

export interface CampaignReport {
  readonly runs: number;
  readonly milliseconds: number;
  readonly reached: number;
  readonly of: number;
  readonly native: number;
  /** The fewest inputs that reach all that was reached. */
  readonly corpus: readonly Uint8Array[];
  readonly slowestMs: number;
}

export interface Finding {
  readonly input: Uint8Array;
  readonly message: string;
  readonly stack: string;
}

interface Kept {
  readonly input: Uint8Array;
  readonly places: readonly number[];
}

/** Heap that stays after a collection, beyond what it was at the start: more means that something is kept for every input. */
const heapGrowthBytesMax = 256 * 1024 * 1024;
const memoryEvery = 20_000;

/** Tries inputs until the end of its budget or the first one for which the property does not hold. */
export class Campaign {
  readonly #target: Target;
  readonly #options: CampaignOptions;
  readonly #current: CurrentInput;
  readonly #coverage = new Coverage();
  readonly #random: Choices;
  readonly #kept: Kept[] = [];
  readonly #words: readonly Uint8Array[];
  readonly #literals: readonly Uint8Array[];
  readonly #started = performance.now();
  #runs = 0;
  #slowestMs = 0;
  #heapAtStart = 0;

  constructor(target: Target, options: CampaignOptions, current: CurrentInput) {
    this.#target = target;
    this.#options = options;
    this.#current = current;
    this.#random = new Choices(options.seed);
    const toBytes = (word: string): Uint8Array => Buffer.from(word, 'latin1');
    this.#words = (target.dictionary ?? []).map(toBytes);
    this.#literals = [...instrumentation.state.literals].sort().map(toBytes);
  }

  async run(): Promise<CampaignReport | Finding> {
    const { regressions, corpus } = this.#options;
    const known = [...regressions, ...this.#target.seeds()];
    for (const [i, input] of [...known, ...corpus].entries()) {
      // What was a finding once is always tried, however slow the machine is; the corpus as far as time goes.
      if (i >= known.length && this.#elapsedMs() > this.#options.milliseconds) break;
      const finding = await this.#try(input.subarray(0, this.#target.lengthMax), true);
      if (finding !== null) return finding;
    }
    const runsFirst = this.#runs;
    while (this.#runs - runsFirst < this.#options.runs && this.#elapsedMs() < this.#options.milliseconds) {
      const finding = await this.#try(this.#next(), false);
      if (finding !== null) return finding;
    }
    return this.#report();
  }

  #next(): Uint8Array {
    const random = this.#random;
    const count = this.#kept.length;
    // What was found late is where the edge is, so it is tried as often as all the rest.
    const latest = Math.ceil(count / 5);
    const choose = (): Uint8Array =>
      this.#kept[random.once(2) ? count - 1 - random.below(latest) : random.below(count)]?.input ?? new Uint8Array(0);
    return mutate(choose(), {
      random,
      words: this.#words,
      literals: this.#literals,
      other: choose,
      lengthMax: this.#target.lengthMax,
    });
  }

  async #try(input: Uint8Array, keep: boolean): Promise<Finding | null> {
    this.#current.set(++this.#runs, input);
    this.#coverage.reset();
    const from = performance.now();
    try {
      const running = this.#target.run(input, this.#coverage);
      if (running !== undefined) await running;
    } catch (error: unknown) {
      return toFinding(input, error);
    }
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - from);
    const places: number[] = [];
    if (this.#coverage.take(null) || keep) {
      this.#coverage.take(places);
      this.#kept.push({ input, places });
    }
    return this.#runs % memoryEvery === 0 ? this.#checkMemory(input) : null;
  }

  #checkMemory(input: Uint8Array): Finding | null {
    globalThis.gc?.();
    const heap = process.memoryUsage().heapUsed;
    if (this.#heapAtStart === 0) this.#heapAtStart = heap;
    if (heap - this.#heapAtStart < heapGrowthBytesMax) return null;
    return toFinding(input, new Error(`the heap grew by ${heap - this.#heapAtStart} bytes over ${this.#runs} inputs`));
  }

  #elapsedMs(): number {
    return performance.now() - this.#started;
  }

  #report(): CampaignReport {
    return {
      runs: this.#runs,
      milliseconds: this.#elapsedMs(),
      ...this.#coverage.summary(),
      corpus: smallest(this.#kept),
      slowestMs: this.#slowestMs,
    };
  }
}

/** Short inputs first; one that reaches nothing that a shorter one does not is left out. */
function smallest(kept: readonly Kept[]): Uint8Array[] {
  const reached = new Set<number>();
  return [...kept]
    .sort((a, b) => a.input.length - b.input.length)
    .filter(({ places }) => {
      const before = reached.size;
      for (const place of places) reached.add(place);
      return reached.size > before;
    })
    .map(({ input }) => input);
}

export function toFinding(input: Uint8Array, error: unknown): Finding {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { input, message, stack: error instanceof Error ? (error.stack ?? '') : '' };
}

/** Smaller, while it still fails in the same words. */
export async function shrink(target: Target, finding: Finding, milliseconds: number): Promise<Finding> {
  const until = performance.now() + milliseconds;
  const kind = kindOf(finding);
  const silent = { note: () => undefined, reached: () => undefined };
  let best = finding;
  for (let size = Math.ceil(best.input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.input.length && performance.now() < until; ) {
      const input = Buffer.concat([best.input.subarray(0, at), best.input.subarray(at + size)]);
      try {
        await target.run(input, silent);
        at += size;
      } catch (error: unknown) {
        const smaller = toFinding(input, error);
        if (kindOf(smaller) === kind) best = smaller;
        else at += size;
      }
    }
  }
  return best;
}

function kindOf(finding: Finding): string {
  return finding.message.split('\n')[0]?.replaceAll(/[0-9]+/g, '#') ?? '';
}
