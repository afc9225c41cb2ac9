/**
 * The database, one step per version; a step is never changed once it was released, only followed by another.
 * Times are RFC 3339 text, as in every record of ours.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE sessions (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    profile TEXT NOT NULL,
    person TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('starting', 'running', 'frozen', 'ended')),
    command TEXT NOT NULL,
    workspace TEXT NOT NULL,
    workspace_mode TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    sandbox TEXT NOT NULL,
    exit TEXT NOT NULL,
    grants TEXT NOT NULL,
    detail TEXT NOT NULL,
    allowed INTEGER NOT NULL DEFAULT 0,
    denied INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX sessions_state ON sessions (state, position);
  CREATE INDEX sessions_agent ON sessions (agent, position);

  CREATE TABLE stops (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'agent', 'all')),
    target TEXT NOT NULL,
    strength TEXT NOT NULL CHECK (strength IN ('freeze', 'kill')),
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    by_person TEXT NOT NULL,
    lifted_at TEXT
  ) STRICT;
  CREATE INDEX stops_active ON stops (kind, target) WHERE lifted_at IS NULL;

  CREATE TABLE decisions (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    writer TEXT NOT NULL,
    wseq INTEGER NOT NULL,
    leaf_index INTEGER,
    segment INTEGER NOT NULL,
    byte_offset INTEGER NOT NULL,
    attempt TEXT NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('allow', 'deny', 'hold')),
    code TEXT NOT NULL,
    data TEXT NOT NULL,
    status INTEGER,
    bytes_in INTEGER,
    bytes_out INTEGER,
    UNIQUE (writer, wseq)
  ) STRICT;
  CREATE INDEX decisions_attempt ON decisions (attempt);
  CREATE INDEX decisions_session ON decisions (session, position);
  CREATE INDEX decisions_agent ON decisions (agent, position);
  CREATE INDEX decisions_outcome ON decisions (outcome, position);

  CREATE TABLE indexed (writer TEXT PRIMARY KEY, wseq INTEGER NOT NULL) STRICT;

  CREATE TABLE policies (
    scope TEXT NOT NULL,
    generation INTEGER NOT NULL,
    digest TEXT NOT NULL,
    sources TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (scope, generation)
  ) STRICT;

  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    at TEXT NOT NULL,
    answer TEXT
  ) STRICT;
  `,
  // What was refused before a decision can be listed, an outcome keeps its code, and a session knows its bytes. The
  // mark of how far the ledger has been read goes, so that what is already there is read into the new columns.
  `
  CREATE TABLE refusals (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    writer TEXT NOT NULL,
    wseq INTEGER NOT NULL,
    session TEXT NOT NULL,
    at TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    channel TEXT NOT NULL,
    resource TEXT,
    suppressed INTEGER NOT NULL,
    UNIQUE (writer, wseq)
  ) STRICT;
  CREATE INDEX refusals_session ON refusals (session, position);

  ALTER TABLE decisions ADD COLUMN result TEXT;
  ALTER TABLE sessions ADD COLUMN bytes_in INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN bytes_out INTEGER NOT NULL DEFAULT 0;
  UPDATE sessions SET
    bytes_in = (SELECT COALESCE(SUM(bytes_in), 0) FROM decisions WHERE session = sessions.id),
    bytes_out = (SELECT COALESCE(SUM(bytes_out), 0) FROM decisions WHERE session = sessions.id);
  DELETE FROM settings WHERE name = 'ledger.indexed';
  `,
  // What sessions have seen, and what they have left in folders of this host.
  `
  CREATE TABLE labels (
    kind TEXT NOT NULL CHECK (kind IN ('folder', 'session')),
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT;
  `,
  // Questions to people. The view goes when a hold is settled: the ledger keeps it sealed, the database must not keep it longer.
  `
  CREATE TABLE holds (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    intent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'used', 'denied', 'expired', 'void')),
    at TEXT NOT NULL,
    expires TEXT NOT NULL,
    used INTEGER NOT NULL,
    reason TEXT NOT NULL,
    summary TEXT NOT NULL,
    record TEXT NOT NULL,
    view TEXT,
    answers TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX holds_live ON holds (session, intent) WHERE state IN ('open', 'approved');
  CREATE INDEX holds_state ON holds (state, position);
  CREATE INDEX holds_session ON holds (session, position);
  `,
  `
  CREATE TABLE budgets (
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    window TEXT NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (account, unit)
  ) STRICT;
  `,
  // What people have named for a time, and how much of it was used.
  `
  CREATE TABLE endorsements (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'active', 'used', 'expired', 'withdrawn', 'void')),
    at TEXT NOT NULL,
    expires TEXT NOT NULL,
    uses INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    terms TEXT NOT NULL,
    hold TEXT NOT NULL,
    signed TEXT NOT NULL
  ) STRICT;
  CREATE INDEX endorsements_state ON endorsements (state, position);
  `,
  `
  ALTER TABLE budgets ADD COLUMN raised INTEGER NOT NULL DEFAULT 0;
  `,
  // What was approved, sealed under its session's key: what the next of its kind is compared with.
  `
  CREATE TABLE approved_holds (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    hold TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    session TEXT NOT NULL,
    sealed TEXT NOT NULL
  ) STRICT;
  CREATE INDEX approved_holds_kind ON approved_holds (kind, position);
  `,
];

/** "Crdn": a file with another number is not our database. */
export const applicationId = 0x43_72_64_6e;
