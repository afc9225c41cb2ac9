import type { api } from '@cordon/protocol';
import { assertNever } from '@cordon/protocol';
import { type Database, isConstraint } from './database.ts';
import { storeError } from './error.ts';
import { type Row, text, textOrNull } from './row.ts';

type ZodOutput<T extends { readonly _zod: { readonly output: unknown } }> = T['_zod']['output'];
export type StopScope = ZodOutput<typeof api.stopScope>;
export type StopRecord = ZodOutput<typeof api.stop>;

export interface StopStore {
  /** On disk when it resolves. @throws CordonError `store-conflict` when the id is taken */
  insert(stop: StopRecord): Promise<void>;
  active(): Promise<readonly StopRecord[]>;
  /** Every stop in force that covers this session: its own, its agent's, and those of all. */
  activeFor(target: { readonly session: string; readonly agent: string }): Promise<readonly StopRecord[]>;
  /** Ends the freezes of exactly this scope, and its kills only when asked to; returns what it ended. */
  lift(scope: StopScope, liftedAt: string, options?: { readonly kills?: boolean }): Promise<readonly StopRecord[]>;
  list(): Promise<readonly StopRecord[]>;
}

export class SqliteStopStore implements StopStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(stop: StopRecord): Promise<void> {
    const { kind, target } = toColumns(stop.scope);
    try {
      await this.#database.durable(() =>
        this.#database.run(
          'INSERT INTO stops (id, kind, target, strength, reason, at, by_person, lifted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
          stop.id,
          kind,
          target,
          stop.strength,
          stop.reason,
          stop.at,
          stop.by,
          stop.liftedAt,
        ),
      );
    } catch (error) {
      if (isConstraint(error)) throw storeError('store-conflict', `the stop ${stop.id} exists`, error);
      throw error;
    }
  }

  async active(): Promise<readonly StopRecord[]> {
    return this.#database.all('SELECT * FROM stops WHERE lifted_at IS NULL ORDER BY position').map(toStop);
  }

  async activeFor(target: { readonly session: string; readonly agent: string }): Promise<readonly StopRecord[]> {
    const rows = this.#database.all(
      `SELECT * FROM stops WHERE lifted_at IS NULL
         AND (kind = 'all' OR (kind = 'session' AND target = ?) OR (kind = 'agent' AND target = ?)) ORDER BY position`,
      target.session,
      target.agent,
    );
    return rows.map(toStop);
  }

  async lift(
    scope: StopScope,
    liftedAt: string,
    options: { readonly kills?: boolean } = {},
  ): Promise<readonly StopRecord[]> {
    const { kind, target } = toColumns(scope);
    const rows = await this.#database.durable(() =>
      this.#database.all(
        `UPDATE stops SET lifted_at = ? WHERE lifted_at IS NULL AND kind = ? AND target = ?
         AND (strength = 'freeze' OR ?) RETURNING *`,
        liftedAt,
        kind,
        target,
        options.kills === true ? 1 : 0,
      ),
    );
    return rows.map(toStop);
  }

  async list(): Promise<readonly StopRecord[]> {
    return this.#database.all('SELECT * FROM stops ORDER BY position').map(toStop);
  }
}

function toColumns(scope: StopScope): { readonly kind: 'session' | 'agent' | 'all'; readonly target: string } {
  if ('session' in scope) return { kind: 'session', target: scope.session };
  if ('agent' in scope) return { kind: 'agent', target: scope.agent };
  if ('all' in scope) return { kind: 'all', target: '' };
  return assertNever(scope, 'stop scope');
}

function toScope(kind: string, target: string): StopScope {
  switch (kind) {
    case 'session':
      return { session: target };
    case 'agent':
      return { agent: target };
    case 'all':
      return { all: true };
    default:
      throw storeError('store-damaged', `a stop of kind ${kind}`);
  }
}

function toStop(row: Row): StopRecord {
  return {
    id: text(row, 'id'),
    scope: toScope(text(row, 'kind'), text(row, 'target')),
    strength: text(row, 'strength') as StopRecord['strength'],
    reason: text(row, 'reason'),
    at: text(row, 'at'),
    by: text(row, 'by_person'),
    liftedAt: textOrNull(row, 'lifted_at'),
  };
}
