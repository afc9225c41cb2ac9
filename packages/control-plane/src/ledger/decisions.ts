import type { JournalArchive } from '@cordon/ledger';
import type { Decision, Outcome } from '@cordon/protocol';
import type { DecisionIndex, StoredDecision } from '@cordon/store';
import { refusal } from '../error.ts';
import { type DecisionBody, parseBody, toDecision } from './decision-row.ts';

export interface DecisionFilter {
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
  readonly outcome?: readonly Outcome[] | undefined;
  /** Also those whose effect ended with one of these codes. */
  readonly result?: readonly string[] | undefined;
  readonly resource?: string | undefined;
}

export interface DecisionRow {
  readonly row: StoredDecision;
  readonly body: DecisionBody;
  readonly decision: Decision;
}

/** What an agent was refused by policy, or by where the request would have gone. */
export const didNotHappen = {
  outcome: ['deny', 'hold'],
  result: ['address-forbidden', 'name-forbidden', 'port-forbidden', 'host-not-canonical'],
} as const satisfies DecisionFilter;

export interface DecisionPage {
  readonly decisions: Decision[];
  readonly next: string | null;
}

type Listener = (attempts: readonly string[]) => void;

/** Decisions as people read them: the index finds them, the journal's kept bodies give method and path. */
export class Decisions {
  readonly #index: DecisionIndex;
  readonly #archive: JournalArchive;
  readonly #listeners = new Set<Listener>();

  readonly #catchUp: () => Promise<void>;

  /** `catchUp` brings into the index whatever the journals hold by now. */
  constructor(index: DecisionIndex, archive: JournalArchive, catchUp: () => Promise<void>) {
    this.#index = index;
    this.#archive = archive;
    this.#catchUp = catchUp;
  }

  /** Called by the integrator for what it just indexed. */
  announce(attempts: readonly string[]): void {
    for (const listener of this.#listeners) listener(attempts);
  }

  async list(
    filter: DecisionFilter,
    page: { cursor?: string | undefined; limit: number; order: 'asc' | 'desc' },
  ): Promise<DecisionPage> {
    const { items, next } = await this.rows(filter, page);
    return { decisions: items.map(({ decision }) => decision), next };
  }

  /** The same with everything that was kept of each. */
  async rows(
    filter: DecisionFilter,
    page: { cursor?: string | undefined; limit: number; order: 'asc' | 'desc' },
  ): Promise<{ readonly items: readonly DecisionRow[]; readonly next: string | null }> {
    await this.#catchUp();
    const { items, next } = await this.#index.list({ ...filterOf(filter), ...page });
    return { items: items.map((row) => this.#read(row)), next };
  }

  /** The latest of these, as far as the index has been read. */
  async last(filter: DecisionFilter): Promise<Decision | null> {
    const [row] = (await this.#index.list({ ...filterOf(filter), limit: 1, order: 'desc' })).items;
    return row === undefined ? null : this.#read(row).decision;
  }

  /** Whether there is one, as far as the index has been read. */
  async some(filter: DecisionFilter): Promise<boolean> {
    return (await this.#index.list({ ...filterOf(filter), limit: 1, order: 'desc' })).items.length > 0;
  }

  /** @throws CordonError `not-found` */
  async get(attempt: string): Promise<DecisionRow> {
    await this.#catchUp();
    const row = await this.#index.get(attempt);
    if (row === null) throw refusal('not-found', `no decision ${attempt}`, ['cordon logs SESSION']);
    return this.#read(row);
  }

  /**
   * Every decision from `cursor` on, then each new one, and each again when its outcome is known. Ends with `signal`.
   * What changes while the past is read is announced as well: a reader may see a decision twice, never not at all.
   */
  async *follow(
    filter: DecisionFilter,
    cursor: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<{ cursor: string; decision: Decision }> {
    const fresh = new Set<string>();
    let wake: (() => void) | null = null;
    const listener: Listener = (attempts) => {
      for (const attempt of attempts) fresh.add(attempt);
      wake?.();
    };
    const onAbort = () => wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#listeners.add(listener);
    try {
      if (cursor !== null) yield* this.#past(filter, cursor, signal);
      while (!signal.aborted) {
        const attempts = [...fresh];
        fresh.clear();
        for (const attempt of attempts) {
          const row = await this.#index.get(attempt);
          if (row === null || !matches(row, filter)) continue;
          yield { cursor: row.cursor, decision: toDecision(row, this.bodyOf(row)) };
        }
        if (fresh.size === 0 && !signal.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = null;
        }
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  bodyOf(row: StoredDecision): DecisionBody {
    try {
      const at = { writer: row.writer, segment: row.segment, offset: row.offset };
      const { entry } = this.#archive.entry(at);
      return parseBody(entry.seal === null ? null : this.#archive.body(at, entry));
    } catch {
      // The verifier is who says that a body is missing; a list of decisions still shows the rest.
      return parseBody(null);
    }
  }

  #read(row: StoredDecision): DecisionRow {
    const body = this.bodyOf(row);
    return { row, body, decision: toDecision(row, body) };
  }

  async *#past(
    filter: DecisionFilter,
    from: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ cursor: string; decision: Decision }> {
    let cursor: string | null = from;
    while (cursor !== null && !signal.aborted) {
      const { items, next } = await this.#index.list({ ...filterOf(filter), cursor, limit: 200, order: 'asc' });
      for (const row of items) yield { cursor: row.cursor, decision: toDecision(row, this.bodyOf(row)) };
      cursor = items.length === 0 ? null : next;
    }
  }
}

function matches(row: StoredDecision, filter: DecisionFilter): boolean {
  return (
    (filter.session === undefined || row.session === filter.session) &&
    (filter.agent === undefined || row.agent === filter.agent) &&
    (filter.outcome === undefined ||
      filter.outcome.includes(row.outcome) ||
      (row.result !== null && filter.result?.includes(row.result) === true))
  );
}

/** A query may carry more than the filter; the index takes nothing that it does not know. */
function filterOf({ session, agent, outcome, result, resource }: DecisionFilter): DecisionFilter {
  return { session, agent, outcome, result, resource };
}
