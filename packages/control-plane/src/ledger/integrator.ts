import { type IntegratedRecord, JournalTail, type LedgerTree } from '@cordon/ledger';
import type { IndexedDecision, Store } from '@cordon/store';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { type FinishedAttempt, toFinish, toRefusal, toRow } from './decision-row.ts';

export interface IntegratorOptions {
  readonly tree: LedgerTree;
  /** `ledger/journal/<tenant>` */
  readonly journals: string;
  readonly store: Pick<Store, 'decisions' | 'refusals' | 'settings'>;
  readonly log: Log;
  /** Attempts that are new or now have an outcome; they can be read from the index. */
  readonly indexed: (attempts: readonly string[]) => void;
  /** Decisions that are new in the index; after a crash, some may come twice. */
  readonly decided: (decisions: readonly IndexedDecision[]) => void;
  /** There are new refusals in the index. */
  readonly refused: () => void;
}

type Located = Pick<IntegratedRecord, 'entry' | 'position'> & { readonly index: number };

const treeMark = 'ledger.indexed';

/**
 * Follows every writer's journal into the tree, at most a second behind, and keeps the index of decisions.
 * The tree is the record; the index can be lost and is then built again from it.
 */
export class Integrator implements AsyncDisposable {
  readonly #options: IntegratorOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #running: Promise<void> | null = null;
  #again = false;
  #soon: ReturnType<typeof setTimeout> | null = null;
  #problems: readonly string[] = [];
  /** The tree took entries that the index did not. */
  #behind = false;

  private constructor(options: IntegratorOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#follow(), limits.integrateIntervalMs);
  }

  static async open(options: IntegratorOptions): Promise<Integrator> {
    await catchUp(options);
    return new Integrator(options);
  }

  /** What keeps a journal from being read; shown in `status`, since a journal that stays out is a gap in the proof. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Soon; several kicks are one run, since each syncs files. */
  kick(): void {
    this.#soon ??= setTimeout(() => this.#follow(), limits.integrateDelayMs);
  }

  #follow(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    void this.run().catch((error: unknown) => this.#options.log.fault('ledger integration', error));
  }

  /** Resolves when everything that was in the journals at this moment is in the tree. */
  async run(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return await this.#running;
    }
    this.#running = this.#integrate().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
    await this.run();
  }

  async #integrate(): Promise<void> {
    do {
      this.#again = false;
      // INVARIANT: nothing is indexed behind a gap, or the mark would pass over it for ever.
      if (this.#behind) await catchUp(this.#options);
      this.#behind = true;
      const done = await this.#options.tree.integrate();
      this.#problems = done.problems.map((problem) => JSON.stringify(problem));
      if (done.records.length > 0) {
        const attempts = await index(this.#options, done.records);
        if (attempts.length > 0) this.#options.indexed(attempts);
      }
      this.#behind = false;
      if (done.more) this.#again = true;
    } while (this.#again);
  }
}

async function index(options: IntegratorOptions, records: readonly Located[]): Promise<string[]> {
  const rows = records.map(toRow).filter((row) => row !== null);
  const finished: FinishedAttempt[] = records.map(toFinish).filter((finish) => finish !== null);
  if (rows.length > 0) await options.store.decisions.insert(rows);
  if (finished.length > 0) await options.store.decisions.finish(finished);
  const refused = records.map(toRefusal).filter((refusal) => refusal !== null);
  if (refused.length > 0) await options.store.refusals.insert(refused);
  const last = records.at(-1);
  if (last !== undefined) await options.store.settings.mark(treeMark, String(last.index + 1));
  if (refused.length > 0) options.refused();
  if (rows.length > 0) options.decided(rows);
  return [...new Set([...rows, ...finished].map((row) => row.attempt))];
}

/** After a crash between tree and index: what the tree holds and the index does not, read from the journals again. */
async function catchUp(options: IntegratorOptions): Promise<void> {
  const { tree, store, journals, log } = options;
  const mark = Number((await store.settings.get(treeMark)) ?? 0);
  if (mark >= tree.head.size) return;
  log.info(`ledger: indexing entries ${mark} to ${tree.head.size - 1} again`);
  const indexes = new Map<string, Map<number, number>>();
  for (let from = mark; from < tree.head.size; ) {
    const entries = tree.entries(from, Math.min(1000, tree.head.size - from));
    if (entries.length === 0) break;
    for (const { index: at, entry } of entries) {
      const writer = indexes.get(entry.writer) ?? new Map<number, number>();
      indexes.set(entry.writer, writer.set(entry.wseq, at));
    }
    from += entries.length;
  }
  const located: Located[] = [];
  for (const [writer, wseqs] of indexes) {
    using tail = new JournalTail({ directory: journals, writer, fromWseq: Math.min(...wseqs.keys()) });
    for (let batch = tail.read(); batch.length > 0; batch = tail.read()) {
      for (const record of batch) {
        const at = wseqs.get(record.entry.wseq);
        if (at !== undefined) located.push({ ...record, index: at });
      }
    }
  }
  const missing = tree.head.size - mark - located.length;
  if (missing > 0)
    log.warn(`ledger: ${missing} entries of the tree cannot be read from their journals and stay unlisted`);
  located.sort((a, b) => a.index - b.index);
  for (let at = 0; at < located.length; at += 1000) await index(options, located.slice(at, at + 1000));
  await store.settings.mark(treeMark, String(tree.head.size));
}
