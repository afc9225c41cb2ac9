import type { ExitReport, RecordValue, SandboxReport, SessionState, WorkspaceMode } from '@cordon/protocol';
import { type Database, isConstraint } from './database.ts';
import { storeError } from './error.ts';
import { type Page, type PageRequest, pageLimit, parseCursor, toPage } from './page.ts';
import { integer, json, type Row, text, textOrNull } from './row.ts';

export interface SessionRecord {
  readonly id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly person: string;
  readonly state: SessionState;
  readonly command: readonly string[];
  readonly workspace: string;
  readonly workspaceMode: WorkspaceMode;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly sandbox: SandboxReport | null;
  readonly exit: ExitReport | null;
  readonly grants: readonly string[];
  /** What only the control plane reads: order, salt, policy. */
  readonly detail: { readonly [key: string]: RecordValue };
}

export interface StoredSession extends SessionRecord {
  /** Changes with every update, not with the counters. */
  readonly etag: string;
  readonly decisions: { readonly allow: number; readonly deny: number };
  /** Of all effects that have ended: answers in, requests out. */
  readonly bytes: { readonly in: number; readonly out: number };
  readonly cursor: string;
}

export type SessionChange = Partial<
  Pick<SessionRecord, 'state' | 'endedAt' | 'sandbox' | 'exit' | 'grants' | 'detail' | 'command'>
>;

export interface SessionQuery extends PageRequest {
  readonly state?: readonly SessionState[] | undefined;
  readonly agent?: string | undefined;
  readonly tenant?: string | undefined;
}

export interface SessionStore {
  /** @throws CordonError `store-conflict` when the id is taken */
  create(record: SessionRecord): Promise<StoredSession>;
  get(id: string): Promise<StoredSession | null>;
  /** @throws CordonError `store-missing`; `store-conflict` when `ifMatch` is not the present etag */
  update(id: string, change: SessionChange, ifMatch?: string): Promise<StoredSession>;
  /** Newest first. */
  list(query?: SessionQuery): Promise<Page<StoredSession>>;
  remove(id: string): Promise<void>;
}

export class SqliteSessionStore implements SessionStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(record: SessionRecord): Promise<StoredSession> {
    try {
      return await this.#database.durable(() => this.#insert(record));
    } catch (error) {
      if (isConstraint(error)) throw storeError('store-conflict', `the session ${record.id} exists`, error);
      throw error;
    }
  }

  async get(id: string): Promise<StoredSession | null> {
    const row = this.#database.get('SELECT * FROM sessions WHERE id = ?', id);
    return row === undefined ? null : toSession(row);
  }

  async update(id: string, change: SessionChange, ifMatch?: string): Promise<StoredSession> {
    return await this.#database.durable(() => {
      const before = this.#read(id);
      if (ifMatch !== undefined && ifMatch !== before.etag) {
        throw storeError('store-conflict', `the session ${id} has changed`);
      }
      const after = { ...before, ...change };
      this.#database.run(
        `UPDATE sessions SET version = version + 1, state = ?, command = ?, ended_at = ?, sandbox = ?, exit = ?,
         grants = ?, detail = ?
         WHERE id = ?`,
        after.state,
        JSON.stringify(after.command),
        ...changing(after),
        id,
      );
      return this.#read(id);
    });
  }

  async list(query: SessionQuery = {}): Promise<Page<StoredSession>> {
    const limit = pageLimit(query);
    const rows = this.#database.all(
      `SELECT * FROM sessions
       WHERE position < ? AND (?2 IS NULL OR state IN (SELECT value FROM json_each(?2)))
         AND (?3 IS NULL OR agent = ?3) AND (?4 IS NULL OR tenant = ?4)
       ORDER BY position DESC LIMIT ?5`,
      parseCursor(query.cursor) ?? Number.MAX_SAFE_INTEGER,
      query.state === undefined ? null : JSON.stringify(query.state),
      query.agent ?? null,
      query.tenant ?? null,
      limit + 1,
    );
    return toPage(rows.map(toSession), limit);
  }

  async remove(id: string): Promise<void> {
    this.#database.run('DELETE FROM sessions WHERE id = ?', id);
  }

  #insert(record: SessionRecord): StoredSession {
    this.#database.run(
      `INSERT INTO sessions (id, version, tenant, agent, profile, person, state, command, workspace, workspace_mode,
         started_at, ended_at, sandbox, exit, grants, detail) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      record.id,
      record.tenant,
      record.agent,
      record.profile,
      record.person,
      record.state,
      JSON.stringify(record.command),
      record.workspace,
      record.workspaceMode,
      record.startedAt,
      ...changing(record),
    );
    return this.#read(record.id);
  }

  #read(id: string): StoredSession {
    const row = this.#database.get('SELECT * FROM sessions WHERE id = ?', id);
    if (row === undefined) throw storeError('store-missing', `no session ${id}`);
    return toSession(row);
  }
}

/** The columns that an update may change, state apart, in the order of both statements. */
function changing(record: SessionRecord): [string | null, string, string, string, string] {
  return [
    record.endedAt,
    JSON.stringify(record.sandbox),
    JSON.stringify(record.exit),
    JSON.stringify(record.grants),
    JSON.stringify(record.detail),
  ];
}

function toSession(row: Row): StoredSession {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    agent: text(row, 'agent'),
    profile: text(row, 'profile'),
    person: text(row, 'person'),
    state: text(row, 'state') as SessionState,
    command: json<string[]>(row, 'command'),
    workspace: text(row, 'workspace'),
    workspaceMode: text(row, 'workspace_mode') as WorkspaceMode,
    startedAt: text(row, 'started_at'),
    endedAt: textOrNull(row, 'ended_at'),
    sandbox: json<SandboxReport | null>(row, 'sandbox'),
    exit: json<ExitReport | null>(row, 'exit'),
    grants: json<string[]>(row, 'grants'),
    detail: json<SessionRecord['detail']>(row, 'detail'),
    etag: `v${integer(row, 'version')}`,
    decisions: { allow: integer(row, 'allowed'), deny: integer(row, 'denied') },
    bytes: { in: integer(row, 'bytes_in'), out: integer(row, 'bytes_out') },
    cursor: String(integer(row, 'position')),
  };
}
