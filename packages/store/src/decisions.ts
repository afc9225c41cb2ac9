import type { Outcome, RecordValue } from '@cordon/protocol';
import type { Database } from './database.ts';
import { type Page, type PageRequest, pageLimit, parseCursor, toPage } from './page.ts';
import { integer, integerOrNull, json, type Row, text, textOrNull } from './row.ts';

/** One decision entry and where it lies. The ledger is the record; this only finds things in it. */
export interface IndexedDecision {
  readonly writer: string;
  readonly wseq: number;
  /** Leaf in the tree; null while it is not there yet. */
  readonly index: number | null;
  readonly segment: number;
  readonly offset: number;
  readonly attempt: string;
  readonly session: string;
  readonly agent: string;
  readonly at: string;
  readonly action: string;
  readonly resource: string;
  readonly outcome: Outcome;
  readonly code: string;
  /** The entry's data. */
  readonly data: { readonly [key: string]: RecordValue };
  readonly status: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  /** What became of an allowed effect: `relayed`, or the code of what ended it; null until it is known. */
  readonly result: string | null;
}

export interface StoredDecision extends IndexedDecision {
  /** The place just behind this one, in index order. */
  readonly cursor: string;
}

export interface FinishedDecision {
  readonly attempt: string;
  readonly status: number | null;
  readonly bytesIn: number | null;
  readonly bytesOut: number | null;
  readonly result: string | null;
}

export interface DecisionQuery extends PageRequest {
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
  readonly outcome?: readonly Outcome[] | undefined;
  /** Also those whose effect ended with one of these codes, whatever the outcome of the decision. */
  readonly result?: readonly string[] | undefined;
  readonly resource?: string | undefined;
  /** `asc` (default): as they were indexed, for following; `desc`: newest first. */
  readonly order?: 'asc' | 'desc' | undefined;
}

export interface DecisionIndex {
  /** The same (writer, wseq) again changes nothing. Counts into the session once. Returns how many were new. */
  insert(batch: readonly IndexedDecision[]): Promise<number>;
  finish(batch: readonly FinishedDecision[]): Promise<void>;
  get(attempt: string): Promise<StoredDecision | null>;
  list(query?: DecisionQuery): Promise<Page<StoredDecision>>;
  /** How far each writer's journal has been read into the index. */
  indexed(): Promise<Readonly<Record<string, number>>>;
  setIndexed(writer: string, wseq: number): Promise<void>;
}

export class SqliteDecisionIndex implements DecisionIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(batch: readonly IndexedDecision[]): Promise<number> {
    return this.#database.unsynced(() => {
      let inserted = 0;
      for (const decision of batch) inserted += this.#insertOne(decision);
      return inserted;
    });
  }

  async finish(batch: readonly FinishedDecision[]): Promise<void> {
    this.#database.unsynced(() => {
      for (const finished of batch) this.#finishOne(finished);
    });
  }

  async get(attempt: string): Promise<StoredDecision | null> {
    const sql = 'SELECT * FROM decisions WHERE attempt = ? ORDER BY position DESC LIMIT 1';
    const row = this.#database.get(sql, attempt);
    return row === undefined ? null : toDecision(row);
  }

  async list(query: DecisionQuery = {}): Promise<Page<StoredDecision>> {
    const limit = pageLimit(query);
    const newest = query.order === 'desc';
    const rows = this.#database.all(
      `SELECT * FROM decisions
       WHERE position ${newest ? '<' : '>'} ?1 AND (?2 IS NULL OR session = ?2) AND (?3 IS NULL OR agent = ?3)
         AND (?4 IS NULL OR outcome IN (SELECT value FROM json_each(?4))
           OR result IN (SELECT value FROM json_each(?5)))
         AND (?6 IS NULL OR resource = ?6)
       ORDER BY position ${newest ? 'DESC' : 'ASC'} LIMIT ?7`,
      parseCursor(query.cursor) ?? (newest ? Number.MAX_SAFE_INTEGER : 0),
      query.session ?? null,
      query.agent ?? null,
      query.outcome === undefined ? null : JSON.stringify(query.outcome),
      JSON.stringify(query.result ?? []),
      query.resource ?? null,
      limit + 1,
    );
    return toPage(rows.map(toDecision), limit);
  }

  async indexed(): Promise<Readonly<Record<string, number>>> {
    const rows = this.#database.all('SELECT writer, wseq FROM indexed');
    return Object.fromEntries(rows.map((row) => [text(row, 'writer'), integer(row, 'wseq')]));
  }

  async setIndexed(writer: string, wseq: number): Promise<void> {
    this.#database.run(
      'INSERT INTO indexed (writer, wseq) VALUES (?, ?) ON CONFLICT (writer) DO UPDATE SET wseq = max(wseq, excluded.wseq)',
      writer,
      wseq,
    );
  }

  /** INVARIANT: the same outcome again adds nothing to the session's bytes. */
  #finishOne({ attempt, status, bytesIn, bytesOut, result }: FinishedDecision): void {
    this.#database.run(
      `UPDATE sessions SET
         bytes_in = bytes_in + ?1 - (SELECT COALESCE(MAX(bytes_in), 0) FROM decisions WHERE attempt = ?3),
         bytes_out = bytes_out + ?2 - (SELECT COALESCE(MAX(bytes_out), 0) FROM decisions WHERE attempt = ?3)
       WHERE id = (SELECT session FROM decisions WHERE attempt = ?3)`,
      bytesIn ?? 0,
      bytesOut ?? 0,
      attempt,
    );
    this.#database.run(
      'UPDATE decisions SET status = ?, bytes_in = ?, bytes_out = ?, result = ? WHERE attempt = ?',
      status,
      bytesIn,
      bytesOut,
      result,
      attempt,
    );
  }

  #insertOne(decision: IndexedDecision): number {
    const inserted = this.#database.run(
      `INSERT INTO decisions (writer, wseq, leaf_index, segment, byte_offset, attempt, session, agent, at, action,
         resource, outcome, code, data, status, bytes_in, bytes_out, result)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (writer, wseq) DO NOTHING`,
      decision.writer,
      decision.wseq,
      decision.index,
      decision.segment,
      decision.offset,
      decision.attempt,
      decision.session,
      decision.agent,
      decision.at,
      decision.action,
      decision.resource,
      decision.outcome,
      decision.code,
      JSON.stringify(decision.data),
      decision.status,
      decision.bytesIn,
      decision.bytesOut,
      decision.result,
    );
    if (inserted === 0) return 0;
    const allowed = decision.outcome === 'allow' ? 1 : 0;
    const denied = decision.outcome === 'deny' ? 1 : 0;
    this.#database.run(
      'UPDATE sessions SET allowed = allowed + ?, denied = denied + ? WHERE id = ?',
      allowed,
      denied,
      decision.session,
    );
    return 1;
  }
}

function toDecision(row: Row): StoredDecision {
  return {
    writer: text(row, 'writer'),
    wseq: integer(row, 'wseq'),
    index: integerOrNull(row, 'leaf_index'),
    segment: integer(row, 'segment'),
    offset: integer(row, 'byte_offset'),
    attempt: text(row, 'attempt'),
    session: text(row, 'session'),
    agent: text(row, 'agent'),
    at: text(row, 'at'),
    action: text(row, 'action'),
    resource: text(row, 'resource'),
    outcome: text(row, 'outcome') as Outcome,
    code: text(row, 'code'),
    data: json<IndexedDecision['data']>(row, 'data'),
    status: integerOrNull(row, 'status'),
    bytesIn: integerOrNull(row, 'bytes_in'),
    bytesOut: integerOrNull(row, 'bytes_out'),
    result: textOrNull(row, 'result'),
    cursor: String(integer(row, 'position')),
  };
}
