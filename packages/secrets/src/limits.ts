/** Limits of secrets. How each ends stands beside it; `docs/limits.md` lists them. */
export const limits = {
  nameCharsMax: 63,
  /** A shorter value would be found in every second answer: `secret-too-short`. */
  valueBytesMin: 8,
  valueBytesMax: 64 * 1024,
  secretsPerTenantMax: 1024,
  /** Placeholders in one request: `secret-misplaced`. */
  usesPerRequestMax: 8,
  /** A cached lease is asked for anew after this part of its life, in percent. */
  leaseRenewPercent: 80,
  /** Longest use of one leased value, whatever its source says. */
  leaseLifeMsMax: 300_000,
  leaseTimeoutMs: 5000,
  /** Leased values of one session that are kept; the oldest is dropped. */
  leasesPerSessionMax: 64,
  storeBytesMax: 128 * 1024 * 1024,
} as const;
