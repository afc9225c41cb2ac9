import type { EndorsementState, EndorsementTerms, Hold } from '@cordon/protocol';
import { type Database, isConstraint } from './database.ts';
import { storeError } from './error.ts';
import type { StoredAnswer } from './holds.ts';
import { type Page, type PageRequest, pageLimit, parseCursor, toPage } from './page.ts';
import { integer, json, type Row, text } from './row.ts';

export interface StoredEndorsement {
  readonly terms: EndorsementTerms;
  /** The question that it was made from. */
  readonly hold: Hold;
  /** Of that question. */
  readonly session: string;
  readonly agent: string;
  readonly state: EndorsementState;
  /** Raised by every change; a change names the one that it saw. */
  readonly version: number;
  readonly at: string;
  readonly used: { readonly uses: number; readonly bytes: number };
  /** Why it is over. */
  readonly reason: string;
  readonly signed: readonly StoredAnswer[];
}

export interface ListedEndorsement extends StoredEndorsement {
  readonly cursor: string;
}

export type EndorsementChange = Partial<Pick<StoredEndorsement, 'state' | 'used' | 'reason' | 'signed'>>;

export interface EndorsementQuery extends PageRequest {
  readonly state?: readonly EndorsementState[] | undefined;
}

export interface EndorsementStore {
  /** On disk when it resolves. @throws CordonError `store-conflict`: the id is taken */
  insert(endorsement: StoredEndorsement): Promise<void>;
  /** Changes it only if nobody has since. @throws CordonError `store-conflict` */
  update(id: string, version: number, change: EndorsementChange): Promise<void>;
  get(id: string): Promise<StoredEndorsement | null>;
  /** Newest first. */
  list(query: EndorsementQuery): Promise<Page<ListedEndorsement>>;
  /** Those that are not over: what a control plane that starts must know. */
  live(): Promise<readonly StoredEndorsement[]>;
}

export class SqliteEndorsementStore implements EndorsementStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(given: StoredEndorsement): Promise<void> {
    const { terms, hold, signed, used } = given;
    try {
      await this.#database.durable(() =>
        this.#database.run(
          `INSERT INTO endorsements (id, version, session, agent, state, at, expires, uses, bytes, reason, terms, hold, signed)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          ...[terms.id, given.version, given.session, given.agent, given.state, given.at, terms.expires],
          ...[used.uses, used.bytes, given.reason],
          ...[JSON.stringify(terms), JSON.stringify(hold), JSON.stringify(signed)],
        ),
      );
    } catch (error) {
      if (isConstraint(error)) throw storeError('store-conflict', `the endorsement ${terms.id} exists`, error);
      throw error;
    }
  }

  async update(id: string, version: number, { state, used, reason, signed }: EndorsementChange): Promise<void> {
    const changed = await this.#database.durable(() =>
      this.#database.run(
        `UPDATE endorsements SET version = version + 1, state = COALESCE(?, state), uses = COALESCE(?, uses),
           bytes = COALESCE(?, bytes), reason = COALESCE(?, reason), signed = COALESCE(?, signed)
         WHERE id = ? AND version = ?`,
        ...[state ?? null, used?.uses ?? null, used?.bytes ?? null, reason ?? null],
        ...[signed === undefined ? null : JSON.stringify(signed), id, version],
      ),
    );
    if (changed !== 1) throw storeError('store-conflict', `the endorsement ${id} has changed`);
  }

  async get(id: string): Promise<StoredEndorsement | null> {
    const row = this.#database.get('SELECT * FROM endorsements WHERE id = ?', id);
    return row === undefined ? null : toEndorsement(row);
  }

  async list(query: EndorsementQuery): Promise<Page<ListedEndorsement>> {
    const limit = pageLimit(query);
    const rows = this.#database.all(
      `SELECT * FROM endorsements
       WHERE position < ? AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2)))
       ORDER BY position DESC LIMIT ?3`,
      parseCursor(query.cursor) ?? Number.MAX_SAFE_INTEGER,
      query.state === undefined ? null : JSON.stringify(query.state),
      limit + 1,
    );
    const listed = rows.map((row) => ({ ...toEndorsement(row), cursor: String(integer(row, 'position')) }));
    return toPage(listed, limit);
  }

  async live(): Promise<readonly StoredEndorsement[]> {
    return this.#database
      .all(`SELECT * FROM endorsements WHERE state IN ('open', 'active') ORDER BY position`)
      .map(toEndorsement);
  }
}

function toEndorsement(row: Row): StoredEndorsement {
  return {
    terms: json<EndorsementTerms>(row, 'terms'),
    hold: json<Hold>(row, 'hold'),
    session: text(row, 'session'),
    agent: text(row, 'agent'),
    state: text(row, 'state') as EndorsementState,
    version: integer(row, 'version'),
    at: text(row, 'at'),
    used: { uses: integer(row, 'uses'), bytes: integer(row, 'bytes') },
    reason: text(row, 'reason'),
    signed: json<readonly StoredAnswer[]>(row, 'signed'),
  };
}
