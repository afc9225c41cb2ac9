import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CordonError } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { PermitMark, Standing, Taken, UsedPermits } from './used.ts';

export type UsedPermitsErrorCode = 'used-permits-failed';

const schema = `
CREATE TABLE IF NOT EXISTS used (
  kid TEXT NOT NULL, id TEXT NOT NULL, boot TEXT NOT NULL, session TEXT NOT NULL,
  epoch INTEGER NOT NULL, issued INTEGER NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (kid, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_until ON used (until);
CREATE INDEX IF NOT EXISTS used_kid ON used (kid, issued DESC);
CREATE INDEX IF NOT EXISTS used_session ON used (kid, session, epoch DESC);
`;

/**
 * Used permits in a file, SQLite's. Each mark is in its write-ahead log and flushed to disk before it counts, a crash
 * leaves all or nothing of one, and processes that open the same file see each other's. Calls are short and synchronous
 * inside: one flush a permit.
 */
export class UsedPermitsFile implements UsedPermits, Disposable {
  readonly #database: DatabaseSync;
  readonly #most: number;
  readonly #insert: StatementSync;
  readonly #forget: StatementSync;
  readonly #count: StatementSync;
  readonly #known: StatementSync;
  readonly #newestBoot: StatementSync;
  readonly #newestEpoch: StatementSync;

  private constructor(database: DatabaseSync, most: number) {
    this.#database = database;
    this.#most = most;
    this.#insert = database.prepare(
      'INSERT INTO used (id, kid, boot, session, epoch, issued, until) VALUES (?,?,?,?,?,?,?)',
    );
    this.#forget = database.prepare('DELETE FROM used WHERE until < ?');
    this.#count = database.prepare('SELECT count(*) AS n FROM used');
    this.#known = database.prepare('SELECT 1 FROM used WHERE kid = ? AND id = ?');
    this.#newestBoot = database.prepare('SELECT boot, issued FROM used WHERE kid = ? ORDER BY issued DESC LIMIT 1');
    this.#newestEpoch = database.prepare('SELECT max(epoch) AS epoch FROM used WHERE kid = ? AND session = ?');
  }

  /**
   * What one signer has said never counts against another's permits.
   * `most`: permits that are kept at once; with that many unexpired ones the next is refused.
   * @throws CordonError `used-permits-failed` when the file cannot be opened or is damaged
   */
  static open(file: string, most: number = limits.usedPermitsMax): UsedPermitsFile {
    try {
      const database = new DatabaseSync(file);
      // FULL: a commit is flushed before it returns. A power loss that took a mark away would give its permit back.
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${limits.usedBusyMs};`,
      );
      database.exec(schema);
      return new UsedPermitsFile(database, most);
    } catch (cause) {
      throw failed(`cannot open ${file}`, cause);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  async look(mark: PermitMark): Promise<Standing> {
    return this.#try(() => this.#standing(mark));
  }

  async take(mark: PermitMark, nowMs: number): Promise<Taken> {
    return this.#try(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const taken = this.#mark(mark, nowMs);
        this.#database.exec('COMMIT');
        return taken;
      } catch (error) {
        this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  #mark(mark: PermitMark, nowMs: number): Taken {
    const { used, outlived, superseded } = this.#standing(mark);
    if (used) return 'used';
    if (outlived) return 'outlived';
    if (superseded) return 'superseded';
    // Clocks differ: an expired one is remembered for a while, should this host's clock be put back.
    this.#forget.run(nowMs - limits.permitSkewMsMax);
    if (Number(this.#count.get()?.['n']) >= this.#most) return 'full';
    const { id, kid, boot, session, epoch, issuedMs, untilMs } = mark;
    this.#insert.run(id, kid, boot, session, epoch, issuedMs, untilMs);
    return 'taken';
  }

  #standing({ id, kid, boot, session, epoch, issuedMs }: PermitMark): Standing {
    const newest = this.#newestBoot.get(kid);
    const highest = this.#newestEpoch.get(kid, session)?.['epoch'] ?? null;
    return {
      used: this.#known.get(kid, id) !== undefined,
      outlived: newest !== undefined && newest['boot'] !== boot && Number(newest['issued']) >= issuedMs,
      superseded: highest !== null && Number(highest) > epoch,
    };
  }

  #try<T>(run: () => T): T {
    try {
      return run();
    } catch (cause) {
      throw failed('the store of used permits failed', cause);
    }
  }
}

function failed(message: string, cause: unknown): CordonError<UsedPermitsErrorCode> {
  return new CordonError<UsedPermitsErrorCode>('used-permits-failed', message, { cause });
}
