/** Limits of the store; `docs/limits.md` lists them. */
export const limits = {
  /** Rows of a page; more asked for is cut to this, and who asks for no number gets a tenth. */
  pageRowsMax: 1000,
  /** Approved requests that are kept, sealed, to compare the next of their kind with; the oldest go. */
  approvedKeptMax: 256,
  /** A key file; larger is refused unread. */
  keyFileBytesMax: 64 * 1024,
} as const;
