import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type StoreErrorCode, storeError, systemCode } from './error.ts';
import { integer, type Row } from './row.ts';
import { applicationId, migrations } from './schema.ts';
import { WalSync } from './wal-sync.ts';

const codes = {
  busy: 5,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
  constraint: 19,
} as const;
const unwritable: readonly number[] = [codes.readOnly, codes.io, codes.full, codes.cannotOpen];

/** One connection that owns its file: parameterised statements only, each prepared once. */
export class Database {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #log: WalSync;

  /** @throws CordonError `store-locked` `store-damaged` `store-version` */
  constructor(path: string) {
    makePrivate(path);
    this.#log = new WalSync(path);
    this.#database = new DatabaseSync(path, {
      allowExtension: false,
      enableDoubleQuotedStringLiterals: false,
      timeout: 0,
    });
    try {
      this.#prepareFile();
    } catch (error) {
      this.#database.close();
      throw toStoreError(path, error);
    }
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return writing(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** All or nothing. The steps are synchronous, so no other caller's statement can come in between. */
  transaction<T>(steps: () => T): T {
    return writing(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = steps();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** All or nothing, as above, and resolves when it is on disk; what others ask for meanwhile is answered. */
  async durable<T>(steps: () => T): Promise<T> {
    const result = this.unsynced(steps);
    try {
      await this.#log.flush();
    } catch (error) {
      throw storeError('store-unwritable', 'the state cannot be synced', error);
    }
    return result;
  }

  /**
   * A transaction of what can be built again from the ledger. It waits for no disk: a power cut may take it, whole, and
   * everything behind it.
   */
  unsynced<T>(steps: () => T): T {
    this.#database.exec('PRAGMA synchronous = NORMAL');
    try {
      return this.transaction(steps);
    } finally {
      this.#database.exec('PRAGMA synchronous = FULL');
    }
  }

  /** The log may still hold pages as they were: everything goes into the database, and the log is cut to nothing. */
  scrub(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  async close(): Promise<void> {
    await this.#log.close();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepareFile(): void {
    // The exclusive mode is set before the first access: the lock then is the kernel's, lasts as long as this process,
    // and WAL needs no shared memory file.
    this.#database.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;' +
        // Freed space is overwritten with zeros: shredding relies on it.
        ' PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; BEGIN EXCLUSIVE; COMMIT',
    );
    const version = this.#pragma('user_version');
    const id = this.#pragma('application_id');
    if (version > 0 && id !== applicationId) throw storeError('store-damaged', 'not a database of Cordon');
    if (version > migrations.length) {
      throw storeError('store-version', `its version ${version} is later than ours, ${migrations.length}`);
    }
    migrations.slice(version).forEach((sql, step) => {
      this.transaction(() => {
        this.#database.exec(sql);
        this.#database.exec(`PRAGMA user_version = ${version + step + 1}; PRAGMA application_id = ${applicationId}`);
      });
    });
  }

  #pragma(name: 'user_version' | 'application_id'): number {
    return integer(this.#database.prepare(`PRAGMA ${name}`).get() ?? {}, name);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** @throws CordonError `store-unwritable` when the disk takes nothing */
function writing<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!unwritable.includes(sqliteCode(error))) throw error;
    throw storeError('store-unwritable', 'the state cannot be written', error);
  }
}

/** A row that must be new is not. */
export function isConstraint(error: unknown): boolean {
  return sqliteCode(error) === codes.constraint;
}

/** SQLite would make the file as the umask says. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

function toStoreError(path: string, error: unknown): unknown {
  const code: StoreErrorCode | undefined = {
    [codes.busy]: 'store-locked' as const,
    [codes.corrupt]: 'store-damaged' as const,
    [codes.notADatabase]: 'store-damaged' as const,
  }[sqliteCode(error)];
  if (code === undefined) return error;
  const what = code === 'store-locked' ? 'is in use by another cordond' : 'is damaged';
  return storeError(code, `${path} ${what}`, error);
}

/** The primary code: extended ones carry more in the bits above. */
function sqliteCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
}
