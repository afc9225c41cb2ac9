/** Limits of the store; `docs/limits.md` lists them. */
export const limits = {
  /** Rows of a page; more asked for is cut to this, and who asks for no number gets a tenth. */
  pageRowsMax: 1000,
  /** A key file; larger is refused unread. */
  keyFileBytesMax: 64 * 1024,
} as const;
