import type { Database } from './database.ts';
import { text } from './row.ts';

/** Small facts that must outlive the process, by name. */
export interface SettingStore {
  get(name: string): Promise<string | null>;
  set(name: string, value: string): Promise<void>;
  /** For a mark of how far something was built from the ledger: it waits for no disk. */
  mark(name: string, value: string): Promise<void>;
}

export class SqliteSettingStore implements SettingStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(name: string): Promise<string | null> {
    const row = this.#database.get('SELECT value FROM settings WHERE name = ?', name);
    return row === undefined ? null : text(row, 'value');
  }

  async set(name: string, value: string): Promise<void> {
    await this.#database.durable(() => this.#write(name, value));
  }

  async mark(name: string, value: string): Promise<void> {
    this.#database.unsynced(() => this.#write(name, value));
  }

  #write(name: string, value: string): void {
    this.#database.run(
      'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      name,
      value,
    );
  }
}
