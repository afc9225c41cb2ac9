import type { AnswerFlag, Hold, HoldState, View } from '@cordon/protocol';
import { type Database, isConstraint } from './database.ts';
import { storeError } from './error.ts';
import { limits } from './limits.ts';
import { type Page, type PageRequest, pageLimit, parseCursor, toPage } from './page.ts';
import { integer, json, type Row, text, textOrNull } from './row.ts';

/** One person's signed answer as it came, and when. */
export interface StoredAnswer {
  readonly envelope: unknown;
  readonly at: string;
  /** What is odd about how it was given; left out: nothing. */
  readonly flags?: readonly AnswerFlag[];
}

export interface StoredHold {
  readonly record: Hold;
  readonly session: string;
  readonly agent: string;
  readonly state: HoldState;
  /** Raised by every change; a change names the one that it saw. */
  readonly version: number;
  readonly at: string;
  /** How often its answers were used. */
  readonly used: number;
  /** Why it was denied, or why it is void. */
  readonly reason: string;
  /** One line for people: method, host and path. */
  readonly summary: string;
  /** Null once it is settled. */
  readonly view: View | null;
  readonly answers: readonly StoredAnswer[];
}

export interface ListedHold extends StoredHold {
  readonly cursor: string;
}

/** What people approved, to compare the next of its kind with. */
export interface ApprovedHold {
  readonly hold: string;
  readonly session: string;
  readonly kind: string;
  /** Base64, sealed under the session's key. */
  readonly sealed: string;
}

export type HoldChange = Partial<Pick<StoredHold, 'state' | 'used' | 'reason' | 'view' | 'answers'>> & {
  /** Kept with the change or not at all; a no takes it away again. */
  readonly approved?: ApprovedHold;
};

export interface HoldQuery extends PageRequest {
  readonly state?: readonly HoldState[] | undefined;
  readonly session?: string | undefined;
}

export interface HoldStore {
  /** On disk when it resolves. @throws CordonError `store-conflict`: the id is taken, or these bytes are held already */
  insert(hold: StoredHold): Promise<void>;
  /** Changes it only if nobody has since. @throws CordonError `store-conflict` */
  update(id: string, version: number, change: HoldChange): Promise<void>;
  get(id: string): Promise<StoredHold | null>;
  /** Newest first. */
  list(query: HoldQuery): Promise<Page<ListedHold>>;
  /** The one of a kind that was approved last, if it is kept. */
  approvedOf(kind: string): Promise<ApprovedHold | null>;
  approved(id: string): Promise<ApprovedHold | null>;
  /** Open or approved, and those denied that have not expired: what a control plane that starts must know. */
  live(now: string): Promise<readonly StoredHold[]>;
}

export class SqliteHoldStore implements HoldStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(hold: StoredHold): Promise<void> {
    const { record } = hold;
    try {
      await this.#database.durable(() =>
        this.#database.run(
          `INSERT INTO holds (id, version, session, agent, intent, state, at, expires, used, reason, summary, record, view, answers)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[record.id, hold.version, hold.session, hold.agent, record.intent, hold.state, hold.at, record.expires],
          ...[hold.used, hold.reason, hold.summary, JSON.stringify(record)],
          ...[hold.view === null ? null : JSON.stringify(hold.view), JSON.stringify(hold.answers)],
        ),
      );
    } catch (error) {
      if (isConstraint(error)) throw storeError('store-conflict', `the hold ${record.id} exists`, error);
      throw error;
    }
  }

  async update(id: string, version: number, change: HoldChange): Promise<void> {
    const { state, used, reason, view, answers, approved } = change;
    const kept = view === undefined ? 'view' : '?';
    const changed = await this.#database.durable(() => {
      const rows = this.#database.run(
        `UPDATE holds SET version = version + 1, state = COALESCE(?, state), used = COALESCE(?, used),
           reason = COALESCE(?, reason), answers = COALESCE(?, answers), view = ${kept} WHERE id = ? AND version = ?`,
        ...[state ?? null, used ?? null, reason ?? null, answers === undefined ? null : JSON.stringify(answers)],
        ...(view === undefined ? [] : [view === null ? null : JSON.stringify(view)]),
        ...[id, version],
      );
      if (rows === 1 && approved !== undefined) this.#keep(approved);
      if (rows === 1 && state === 'denied') this.#database.run('DELETE FROM approved_holds WHERE hold = ?', id);
      return rows;
    });
    if (changed !== 1) throw storeError('store-conflict', `the hold ${id} has changed`);
  }

  async approvedOf(kind: string): Promise<ApprovedHold | null> {
    const row = this.#database.get('SELECT * FROM approved_holds WHERE kind = ? ORDER BY position DESC LIMIT 1', kind);
    return row === undefined ? null : toApproved(row);
  }

  async approved(id: string): Promise<ApprovedHold | null> {
    const row = this.#database.get('SELECT * FROM approved_holds WHERE hold = ?', id);
    return row === undefined ? null : toApproved(row);
  }

  #keep({ hold, kind, session, sealed }: ApprovedHold): void {
    this.#database.run(
      'INSERT INTO approved_holds (hold, kind, session, sealed) VALUES (?, ?, ?, ?)',
      ...[hold, kind, session, sealed],
    );
    this.#database.run(
      `DELETE FROM approved_holds WHERE position NOT IN
         (SELECT position FROM approved_holds ORDER BY position DESC LIMIT ?)`,
      limits.approvedKeptMax,
    );
  }

  async get(id: string): Promise<StoredHold | null> {
    const row = this.#database.get('SELECT * FROM holds WHERE id = ?', id);
    return row === undefined ? null : toHold(row);
  }

  async list(query: HoldQuery): Promise<Page<ListedHold>> {
    const limit = pageLimit(query);
    const rows = this.#database.all(
      `SELECT * FROM holds
       WHERE position < ? AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2))) AND (?3 IS NULL OR session = ?3)
       ORDER BY position DESC LIMIT ?4`,
      parseCursor(query.cursor) ?? Number.MAX_SAFE_INTEGER,
      query.state === undefined ? null : JSON.stringify(query.state),
      query.session ?? null,
      limit + 1,
    );
    const listed = rows.map((row) => ({ ...toHold(row), cursor: String(integer(row, 'position')) }));
    return toPage(listed, limit);
  }

  async live(now: string): Promise<readonly StoredHold[]> {
    const rows = this.#database.all(
      `SELECT * FROM holds WHERE state IN ('open', 'approved') OR (state = 'denied' AND expires > ?) ORDER BY position`,
      now,
    );
    return rows.map(toHold);
  }
}

function toApproved(row: Row): ApprovedHold {
  return {
    hold: text(row, 'hold'),
    session: text(row, 'session'),
    kind: text(row, 'kind'),
    sealed: text(row, 'sealed'),
  };
}

function toHold(row: Row): StoredHold {
  const view = textOrNull(row, 'view');
  return {
    record: json<Hold>(row, 'record'),
    session: text(row, 'session'),
    agent: text(row, 'agent'),
    state: text(row, 'state') as HoldState,
    version: integer(row, 'version'),
    at: text(row, 'at'),
    used: integer(row, 'used'),
    reason: text(row, 'reason'),
    summary: text(row, 'summary'),
    view: view === null ? null : json<View>(row, 'view'),
    answers: json<readonly StoredAnswer[]>(row, 'answers'),
  };
}
