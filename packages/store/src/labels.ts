import type { RecordValue } from '@cordon/protocol';
import type { Database } from './database.ts';
import { json, text } from './row.ts';

/** What a container holds: a folder on this host, or what one session has seen. */
export type LabelContainer = { readonly folder: string } | { readonly session: string };

export interface StoredLabel {
  readonly label: RecordValue;
  readonly at: string;
}

/** Labels that outlive the process. What they mean is their reader's to know; joining is too. */
export interface LabelStore {
  get(container: LabelContainer): Promise<StoredLabel | null>;
  /** Of this folder, of every one that it lies in and of every one in it. */
  around(folder: string): Promise<readonly StoredLabel[]>;
  put(container: LabelContainer, stored: StoredLabel): Promise<void>;
}

export class SqliteLabelStore implements LabelStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(container: LabelContainer): Promise<StoredLabel | null> {
    const row = this.#database.get('SELECT label, at FROM labels WHERE kind = ? AND name = ?', ...keyOf(container));
    return row === undefined ? null : { label: json<RecordValue>(row, 'label'), at: text(row, 'at') };
  }

  async around(folder: string): Promise<readonly StoredLabel[]> {
    const rows = this.#database.all(
      `SELECT label, at FROM labels WHERE kind = 'folder' AND (
         name = ?1 OR substr(?1, 1, length(name) + 1) = name || '/' OR substr(name, 1, length(?1) + 1) = ?1 || '/'
       )`,
      folder,
    );
    return rows.map((row) => ({ label: json<RecordValue>(row, 'label'), at: text(row, 'at') }));
  }

  async put(container: LabelContainer, { label, at }: StoredLabel): Promise<void> {
    await this.#database.durable(() =>
      this.#database.run(
        `INSERT INTO labels (kind, name, label, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, name) DO UPDATE SET label = excluded.label, at = excluded.at`,
        ...keyOf(container),
        JSON.stringify(label),
        at,
      ),
    );
  }
}

function keyOf(container: LabelContainer): [string, string] {
  return 'folder' in container ? ['folder', container.folder] : ['session', container.session];
}
