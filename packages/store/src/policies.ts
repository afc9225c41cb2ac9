import type { Database } from './database.ts';
import { storeError } from './error.ts';
import { integer, json, type Row, text } from './row.ts';

export interface PolicySource {
  readonly name: string;
  readonly text: string;
}

export interface PolicyGeneration {
  readonly scope: string;
  readonly generation: number;
  readonly digest: string;
  readonly sources: readonly PolicySource[];
  readonly at: string;
}

/** Which policy is in force per scope (a tenant, a session), and which were before. */
export interface PolicyStore {
  /** @throws CordonError `store-rollback` unless the generation is higher than every one before */
  activate(
    scope: string,
    generation: number,
    digest: string,
    sources: readonly PolicySource[],
    at: string,
  ): Promise<void>;
  current(scope: string): Promise<PolicyGeneration | null>;
  get(scope: string, generation: number): Promise<PolicyGeneration | null>;
  /** Highest generation ever activated; 0 = none. */
  highest(scope: string): Promise<number>;
}

export class SqlitePolicyStore implements PolicyStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async activate(
    scope: string,
    generation: number,
    digest: string,
    sources: readonly PolicySource[],
    at: string,
  ): Promise<void> {
    this.#database.transaction(() => {
      const highest = this.#highest(scope);
      if (generation <= highest) {
        throw storeError('store-rollback', `${scope}: generation ${generation} after ${highest}`);
      }
      this.#database.run(
        'INSERT INTO policies (scope, generation, digest, sources, at) VALUES (?, ?, ?, ?, ?)',
        scope,
        generation,
        digest,
        JSON.stringify(sources),
        at,
      );
    });
  }

  async current(scope: string): Promise<PolicyGeneration | null> {
    const sql = 'SELECT * FROM policies WHERE scope = ? ORDER BY generation DESC LIMIT 1';
    return toGeneration(this.#database.get(sql, scope));
  }

  async get(scope: string, generation: number): Promise<PolicyGeneration | null> {
    const sql = 'SELECT * FROM policies WHERE scope = ? AND generation = ?';
    return toGeneration(this.#database.get(sql, scope, generation));
  }

  async highest(scope: string): Promise<number> {
    return this.#highest(scope);
  }

  #highest(scope: string): number {
    const sql = 'SELECT coalesce(max(generation), 0) AS highest FROM policies WHERE scope = ?';
    return integer(this.#database.get(sql, scope) ?? {}, 'highest');
  }
}

function toGeneration(row: Row | undefined): PolicyGeneration | null {
  if (row === undefined) return null;
  return {
    scope: text(row, 'scope'),
    generation: integer(row, 'generation'),
    digest: text(row, 'digest'),
    sources: json<PolicySource[]>(row, 'sources'),
    at: text(row, 'at'),
  };
}
