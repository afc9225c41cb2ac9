import type { Database } from './database.ts';
import { type Page, type PageRequest, pageLimit, parseCursor, toPage } from './page.ts';
import { integer, type Row, text, textOrNull } from './row.ts';

/** One `fault` entry of a gateway: a request that was refused before there was anything to decide. */
export interface IndexedRefusal {
  readonly writer: string;
  readonly wseq: number;
  readonly session: string;
  readonly at: string;
  readonly code: string;
  /** The gateway's own words, bounded and escaped by it. */
  readonly detail: string;
  readonly channel: string;
  /** `https://host:443`, where the gateway knew where the client wanted to go. */
  readonly resource: string | null;
  /** Refusals before this one that were only counted. */
  readonly suppressed: number;
}

export interface StoredRefusal extends IndexedRefusal {
  readonly cursor: string;
}

export interface RefusalQuery extends PageRequest {
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
  readonly code?: string | undefined;
  readonly order?: 'asc' | 'desc' | undefined;
}

export interface RefusalIndex {
  /** The same (writer, wseq) again changes nothing. */
  insert(batch: readonly IndexedRefusal[]): Promise<void>;
  list(query?: RefusalQuery): Promise<Page<StoredRefusal>>;
}

export class SqliteRefusalIndex implements RefusalIndex {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(batch: readonly IndexedRefusal[]): Promise<void> {
    this.#database.unsynced(() => {
      for (const { writer, wseq, session, at, code, detail, channel, resource, suppressed } of batch) {
        this.#database.run(
          `INSERT INTO refusals (writer, wseq, session, at, code, detail, channel, resource, suppressed)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (writer, wseq) DO NOTHING`,
          ...[writer, wseq, session, at, code, detail, channel, resource, suppressed],
        );
      }
    });
  }

  async list(query: RefusalQuery = {}): Promise<Page<StoredRefusal>> {
    const limit = pageLimit(query);
    const newest = query.order === 'desc';
    const rows = this.#database.all(
      `SELECT * FROM refusals
       WHERE position ${newest ? '<' : '>'} ?1 AND (?2 IS NULL OR session = ?2)
         AND (?3 IS NULL OR session IN (SELECT id FROM sessions WHERE agent = ?3))
         AND (?4 IS NULL OR code = ?4)
       ORDER BY position ${newest ? 'DESC' : 'ASC'} LIMIT ?5`,
      parseCursor(query.cursor) ?? (newest ? Number.MAX_SAFE_INTEGER : 0),
      query.session ?? null,
      query.agent ?? null,
      query.code ?? null,
      limit + 1,
    );
    return toPage(rows.map(toRefusal), limit);
  }
}

function toRefusal(row: Row): StoredRefusal {
  return {
    writer: text(row, 'writer'),
    wseq: integer(row, 'wseq'),
    session: text(row, 'session'),
    at: text(row, 'at'),
    code: text(row, 'code'),
    detail: text(row, 'detail'),
    channel: text(row, 'channel'),
    resource: textOrNull(row, 'resource'),
    suppressed: integer(row, 'suppressed'),
    cursor: String(integer(row, 'position')),
  };
}
