/** Limits of the ledger; `docs/limits.md` lists them with owner and end. */
export const limits = {
  /** One entry; refused above (tlog-tiles allows less than 64 KiB). */
  entryBytesMax: 32 * 1024,
  /** One body beside an entry; refused above. */
  bodyBytesMax: 1024 * 1024,
  /** Appends that wait for the write or for the disk; refused above, nothing is dropped. */
  queueEntriesMax: 4096,
  /** Journal or body file of a segment; the next append starts a new segment. Opening reads one segment whole. */
  segmentBytes: 16 * 1024 * 1024,
  /** After this long at most, an entry of the `os` tier is on disk too. */
  groupSyncMs: 25,
  /** Attempts that one `recovery` entry names; more go into further entries. */
  recoveryAttemptsMax: 500,
  /** Digests of bodies remembered for not storing a body twice in one segment. */
  bodyDigestsMax: 32_768,
  /** Bytes that one read of a journal's tail takes in. */
  tailReadBytes: 1024 * 1024,
  /** Body indexes that a reader keeps, one per segment. */
  bodyIndexesMax: 8,
  /** Bytes of journals that one integration takes into the tree. */
  integrationBytesMax: 8 * 1024 * 1024,
  /** Entries that one request reads back from the tree. */
  entriesReadMax: 1000,
  /** Hash tiles and entry bundles kept in memory for proofs. */
  tileCacheMax: 128,
  /** At least this long between two checkpoints that are kept for later comparison. */
  checkpointKeepMs: 60_000,
  /** So long after a kill a gateway that was cut off may still have allowed: its lease (gateway.md §1.1). */
  killLeaseMs: 15_000,
  /** Witnesses and groups of a policy. */
  witnessesMax: 64,
  /** Hashes of a consistency proof (tlog-witness). */
  proofStepsMax: 63,
  /** Failures that one part of the verifier lists; the rest is counted. */
  failuresListedMax: 100,
} as const;
