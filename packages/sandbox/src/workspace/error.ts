export type WorkspaceErrorCode =
  /** The native walk failed or its output was cut off. */
  | 'tree-unreadable'
  /** More changes than one answer can carry. */
  | 'proposal-too-large'
  /** A path that is absolute, empty, or has an empty, `.` or `..` component. */
  | 'path-invalid'
  /** Nothing was changed on the host; the cause says what failed (a full disk, say). */
  | 'apply-failed'
  | 'job-invalid';
