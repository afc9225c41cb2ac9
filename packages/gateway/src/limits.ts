/**
 * Every limit of the data plane: name, unit, and how it ends. Checked before allocation wherever the wire allows it.
 * `docs/limits.md` lists them; `createGateway` takes overrides so that a test reaches an end without waiting for it.
 */
export const limits = {
  // refuse
  headersMax: 128,
  headBytesMax: 32 * 1024,
  queryPairsMax: 256,
  targetBytesMax: 16 * 1024,
  bodyBytesMax: 8 * 1024 * 1024,
  /** Chunks, frames or reads, as they come. */
  bodyPiecesMax: 256 * 1024,
  /** Bodies in memory at once, coded and decoded together; one session, and all of them. */
  bodyBytesHeldPerSessionMax: 64 * 1024 * 1024,
  bodyBytesHeldMax: 256 * 1024 * 1024,
  connectionsPerSessionMax: 256,
  requestsInFlightMax: 64,
  /** Requests that came on one connection before the first was answered. */
  pipelinedMax: 16,
  sessionsMax: 256,
  /** Actions at resources that a session was denied; when all are tripped, whatever is new counts as closed. */
  breakersPerSessionMax: 1_024,
  /** Destinations that fail; the one heard of longest ago is forgotten. */
  sinksMax: 1_024,
  /** Questions to a session's name server; what is over is dropped. */
  nameQueriesPerSecondMax: 500,
  nameQueriesWaitingMax: 64,
  // close
  headTimeoutMs: 10_000,
  /** A connection to a relay's socket that has not said whose it is. */
  relayHeaderTimeoutMs: 5_000,
  /** One question or answer of a name server through a relay; a longer answer is dropped. */
  relayDatagramBytesMax: 4_096,
  bodyIdleMs: 30_000,
  bodyTotalMs: 600_000,
  keepAliveIdleMs: 75_000,
  requestsPerConnectionMax: 10_000,
  handshakeTimeoutMs: 10_000,
  clientHelloBytesMax: 16 * 1024,
  /** How long a CONNECT to where a tunnel is granted may say nothing: then the server is the one that speaks first. */
  silenceMs: 300,
  /** Told with a close frame: 1009, 1008, 1001. */
  websocketMessageBytesMax: 1024 * 1024,
  websocketFragmentsMax: 4_096,
  /** Pieces in which the network delivers a message that is not whole yet. */
  websocketChunksMax: 16_384,
  websocketMessagesPerSecondMax: 200,
  websocketPingMs: 30_000,
  websocketIdleMs: 300_000,
  websocketLifeMs: 8 * 3600_000,
  /** For the other side's own close frame. */
  websocketCloseMs: 2_000,
  /** How long what a refused client still sends is thrown away, so that it can read why. */
  lingerMs: 500,
  // HTTP/2, each connection
  h2StreamsMax: 64,
  /** Fields and pseudo-headers that nghttp2 takes; our own 431 begins at `headersMax`. */
  h2FieldsMax: 256,
  h2SessionBytesMax: 8 * 1024 * 1024,
  h2SettingsMs: 2_000,
  h2ResetsAtOnceMax: 100,
  h2ResetsPerSecond: 20,
  /** PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, empty DATA and what is unknown; answers earn more of them. */
  h2ControlFramesAtOnceMax: 1_000,
  h2ControlFramesPerSecond: 100,
  /** HEADERS that became no request. */
  h2HeadsAtOnceMax: 128,
  h2HeadsPerSecond: 20,
  // answer 504
  firstByteTimeoutMs: 120_000,
  // cut the stream
  slowReaderMs: 30_000,
  answerBytesMax: 64 * 1024 * 1024,
  /** Parts of an answer that wait for the agent, however small. */
  answerPiecesWaitingMax: 256,
  /** A tunnel, where its grant says nothing else: bytes both ways together, from its first byte, without any byte. */
  tunnelBytesMax: 1024 * 1024 * 1024,
  tunnelLifeMs: 4 * 3600_000,
  tunnelIdleMs: 900_000,
  reauthorizeMs: 60_000,
  // deny
  decisionMs: 20,
  policyWaitMs: 10_000,
  credentialTimeoutMs: 5_000,
  /** For the control plane to note at a workspace what its session has seen. */
  labelTimeoutMs: 5_000,
  /** The supervisor's answer to an order for a signed permit, and orders that wait for theirs. */
  permitSignTimeoutMs: 5_000,
  permitsWaitedForMax: 1_024,
  /** A slice of the budgets' purses, asked for when the one before is used up; nothing of it lies idle for longer. */
  budgetTimeoutMs: 2_000,
  budgetSliceRequestsMax: 64,
  budgetSliceBytesMax: 8 * 1024 * 1024,
  budgetSliceLeakBytesMax: 16 * 1024,
  budgetSliceSecondsMax: 60,
  budgetIdleMs: 5_000,
  // shed: new sessions, then requests
  /** Of what the process may have. */
  shedMemoryPercent: 70,
  /** p99 of the event loop's delay, and for how long it must stay above. */
  shedDelayMs: 200,
  shedDelayForMs: 5_000,
  /** Sessions are refused this long before requests are. */
  shedRequestsAfterMs: 5_000,
  // deny: the ledger's disk is not filled to its end, so that a stop can still be recorded, and the host lives on
  ledgerReserveBytes: 256 * 1024 * 1024,
  /** Of a small disk, this much of it. */
  ledgerReservePercent: 5,
  // answer 403 `hold-pending`: a person was not there in time
  holdWaitMs: 25_000,
  /** How soon the agent may come again. */
  holdRetryMs: 5_000,
  /** Requests that wait for people at once; further ones are answered at once. */
  holdsWaitingPerSessionMax: 16,
  holdsWaitingMax: 256,
  /** The largest body that a person is asked about; it has to be read whole. */
  holdPayloadBytesMax: 256 * 1024,
  /** For so long a session that had no room for another question is not asked for again. */
  holdFullMs: 1_000,
  /** The control plane's answer to one question about a hold. */
  holdCallTimeoutMs: 10_000,
  // drop the oldest
  denialsMax: 64,
  /** Names of a session that have an address standing for them. */
  namesPerSessionMax: 10_000,
  reasonsRecordedMax: 64,
  /** Request bodies up to this size are kept beside their `start` entry; of larger ones only the digest. */
  payloadKeptBytesMax: 64 * 1024,
  /** Heads that could not be read are recorded as faults up to this many a minute and session; the rest is counted. */
  refusalsRecordedPerMinuteMax: 120,
  /** Lines of the host's log, of each code. */
  reportsPerMinuteMax: 60,
  /** Denied decisions of one session in a minute; then its requests are refused undecided until the minute is over. */
  deniedPerMinuteMax: 1200,
  // shape of texts shown to an agent
  quotedCharsMax: 256,
  nextStepCharsMax: 1_024,
  /** How long a program may keep the address that stands for a name; it stays good for longer. */
  nameTtlMs: 60_000,
  // own rhythm
  connectRetryMs: 200,
  headReportMs: 1_000,
  sweepMs: 1_000,
} as const;

export type GatewayLimits = { readonly [K in keyof typeof limits]: number };
