/** Every limit of the outward side. How each ends stands beside it; `docs/limits.md` lists them. */
export const limits = {
  /** One DNS query and how often it is sent; over it: `resolver-timeout`. */
  dnsTimeoutMs: 2000,
  dnsTries: 2,
  /** The whole lookup, both families and all tries. */
  dnsLookupTimeoutMs: 5000,
  /** Lookups under way in one gateway; more: `resolver-busy`. */
  dnsInFlightMax: 64,
  /** Addresses of one name; more refuses the name, because each one has to be judged. */
  dnsAddressesMax: 64,
  dnsTtlMinMs: 5000,
  dnsTtlMaxMs: 300_000,
  dnsNegativeMs: 5000,
  /** Names kept; the oldest is dropped. */
  dnsCacheNamesMax: 10_000,
  /** Addresses of a pin that one dial tries, and the time between two starts (RFC 8305 §5). */
  dialTriesMax: 4,
  dialStaggerMs: 250,
  /** Answered with 504. */
  connectTimeoutMs: 5000,
  tlsTimeoutMs: 5000,
  firstByteTimeoutMs: 120_000,
  /** Cuts the stream. */
  answerIdleTimeoutMs: 120_000,
  answerHeaderBytesMax: 32 * 1024,
  answerHeadersMax: 128,
  interimAnswersMax: 8,
  /** HTTP/2 of a server: what makes work and carries nothing; over it, the connection ends with `upstream-protocol`. */
  h2ResetsAtOnceMax: 100,
  h2ResetsPerSecond: 20,
  h2ControlFramesAtOnceMax: 1_000,
  h2ControlFramesPerSecond: 100,
  h2HeadsAtOnceMax: 128,
  h2HeadsPerSecond: 20,
  h2SessionBytesMax: 8 * 1024 * 1024,
  /** How much of one answer, and of all on one connection, a server may send before it was read. */
  h2StreamWindowBytes: 1024 * 1024,
  h2SessionWindowBytes: 4 * 1024 * 1024,
  /** Keep-alive sockets that nobody uses are closed. */
  keepAliveIdleMs: 75_000,
  socketsPerPoolMax: 64,
  idleSocketsPerPoolMax: 64,
  /** Pools (origin and credential) of one session; an unused one makes room, else `upstream-busy`. */
  poolsPerSessionMax: 256,
  /** Decoded bytes per coded byte, once the free part is used up: else 413. */
  decodedRatioMax: 100,
  decodedFreeBytes: 64 * 1024,
  /** A ClientHello longer than this is `malformed`; the largest real ones (post-quantum, padded) have 2 KiB. */
  clientHelloBytesMax: 16 * 1024,
  handshakeTimeoutMs: 10_000,
  authorityLifeMs: 7 * 24 * 3600_000,
  leafLifeMs: 72 * 3600_000,
  /** Certificates start this much earlier, for clients whose clock is behind. */
  backdateMs: 3600_000,
  /** A cached context is minted anew this long before its certificate ends. */
  leafRenewBeforeMs: 3600_000,
  /** Minted contexts kept; the least used is dropped. */
  contextsMax: 1024,
  /** New TLS names a second of one session; more: 429. */
  newNamesPerSecondMax: 20,
} as const;
