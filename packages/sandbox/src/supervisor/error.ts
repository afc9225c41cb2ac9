export type SupervisorErrorCode =
  /** Another supervisor serves this runtime directory. */
  | 'supervisor-running'
  /** The home or runtime folder belongs to somebody else, or is no folder. */
  | 'folder-unsafe'
  | 'supervisor-closing'
  | 'hello-first'
  | 'order-invalid'
  | 'session-exists'
  | 'session-unknown'
  /** Killed before it ran. */
  | 'session-stopped'
  /** Asks for something that only an ended session may. */
  | 'session-running'
  | 'sessions-full'
  | 'execs-full'
  | 'events-full'
  /** A teardown of this tenant could not be proved; no new session until the host is clean. */
  | 'node-dirty'
  | 'gateway-unavailable'
  | 'uids-exhausted'
  /** Full, read-only or failing. */
  | 'disk-unwritable'
  | 'workspace-failed'
  | 'workspace-busy';
