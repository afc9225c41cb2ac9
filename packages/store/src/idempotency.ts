import type { Database } from './database.ts';
import { storeError } from './error.ts';
import { text, textOrNull } from './row.ts';

export type Claim =
  | { readonly state: 'new' }
  | { readonly state: 'running' }
  | { readonly state: 'done'; readonly answer: string };

/** Makes a request that is sent twice happen once. */
export interface IdempotencyStore {
  /** The first caller gets `new` and must `finish` or `release`. @throws CordonError `store-conflict`: another request */
  claim(key: string, fingerprint: string, at: string): Promise<Claim>;
  finish(key: string, answer: string): Promise<void>;
  /** The request failed and may be tried again. */
  release(key: string): Promise<void>;
  /** Forgets what was claimed before this time. Returns how many. */
  expire(before: string): Promise<number>;
}

export class SqliteIdempotencyStore implements IdempotencyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async claim(key: string, fingerprint: string, at: string): Promise<Claim> {
    return await this.#database.durable(() => {
      const row = this.#database.get('SELECT fingerprint, answer FROM idempotency WHERE key = ?', key);
      if (row === undefined) {
        this.#database.run('INSERT INTO idempotency (key, fingerprint, at) VALUES (?, ?, ?)', key, fingerprint, at);
        return { state: 'new' };
      }
      if (text(row, 'fingerprint') !== fingerprint) {
        throw storeError('store-conflict', 'this idempotency key was used for another request');
      }
      const answer = textOrNull(row, 'answer');
      return answer === null ? { state: 'running' } : { state: 'done', answer };
    });
  }

  async finish(key: string, answer: string): Promise<void> {
    await this.#database.durable(() =>
      this.#database.run('UPDATE idempotency SET answer = ? WHERE key = ?', answer, key),
    );
  }

  async release(key: string): Promise<void> {
    this.#database.run('DELETE FROM idempotency WHERE key = ? AND answer IS NULL', key);
  }

  async expire(before: string): Promise<number> {
    return this.#database.run('DELETE FROM idempotency WHERE at < ?', before);
  }
}
