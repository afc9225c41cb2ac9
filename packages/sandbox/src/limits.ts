/** Limits of the drivers. Each refuses, except where it says otherwise; `docs/limits.md` lists them. */
export const driverLimits = {
  /** From spawn to READY; then the start is given up and swept. */
  startTimeoutMs: 15_000,
  /** Until `frozen 1` or `populated 0`; then the stop is reported as unconfirmed. */
  stopTimeoutMs: 10_000,
  /** Between two looks at `cgroup.events` while a stop is waited for. */
  stopPollMs: 2,
  /** Tries to remove an empty cgroup; then it is reported and left to the next sweep. */
  removeAttemptsMax: 20,
  /** For what an agent left in its HOME; then it is reported and left to the next sweep. */
  removeTimeoutMs: 60_000,
  /** An answer to `exec`; then it is reported as failed. */
  execTimeoutMs: 10_000,
  /** What the native program and bubblewrap may say about a failed start; the rest is dropped. */
  faultTextBytesMax: 8 * 1024,
  /** Commands at the same time in one sandbox, the agent's own included (LAUNCH_COMMANDS_MAX). */
  commandsMax: 16,
  /** One encoded command (COMMAND_BYTES_MAX). */
  commandBytesMax: 1024 * 1024,
  /** Read-only host paths, placed files and protected paths of one session together (STAGE_MOUNTS_MAX). */
  stagedMountsMax: 90,
  /** Raw TCP grants of one session, each a listening socket inside (SOCKETS_TCP_MAX). */
  tcpSocketsMax: 32,
  /** `tcp://host:port` of one of them. */
  tcpGrantCharsMax: 300,
  /** Trying whether connections can be caught, or sockets handed over; then that counts as missing. */
  probeTimeoutMs: 5_000,
  /** One line of a relay; a longer one ends the sandbox. */
  handOffCharsMax: 512,
  /** A connection to our side of a relay that has not said whose it is by then is closed; the relay's own is made again. */
  relayHeaderTimeoutMs: 5_000,
  /** Streams of commands whose line has not come; more are closed, and come again. */
  relayStreamsWaitingMax: 64,
  /** Descriptors that a command may hold: the least that lets Node start, and the kernel's default ceiling. */
  openFilesMin: 64,
  openFilesMax: 1_048_576,
  pidsMin: 1,
  pidsMax: 1_000_000,
  memoryBytesMin: 16 * 1024 * 1024,
  cpuMillisMin: 10,
  cpuMillisMax: 1_024_000,
  diskBytesMin: 1024 * 1024,
  /** Processes of ours that the session's own limit does not count: bubblewrap, the launcher, init. A relay is one more. */
  ownProcesses: 4,
  /** Of the session's memory, what `/tmp` and `/dev/shm` may each take at most, in percent. */
  tmpfsMemoryPercent: 50,
} as const;

/** Limits of the supervisor; each says what happens at its end. */
export const supervisorLimits = {
  /** Living sessions; more are refused (`sessions-full`). Each keeps a place in the event queue. */
  sessionsMax: 512,
  /** Events waiting for a control plane. From half of it on new sessions are refused (`events-full`) and only ends of sessions are taken; others are dropped and logged. */
  eventsMax: 1024,
  /** An event that the control plane has not taken by then is sent again. */
  eventTimeoutMs: 10_000,
  eventRetryMs: 500,
  /** Output that a session or exec keeps for clients to re-attach; the oldest goes first and the client is told. */
  ringBytesMax: 256 * 1024,
  /** What one chunk in the ring is charged beside its bytes. */
  ringChunkCostBytes: 256,
  /** Attached clients of one stream; more are closed. */
  clientsPerStreamMax: 16,
  attachLineBytesMax: 4096,
  attachLineTimeoutMs: 5000,
  /** Commands of one session that run or are still attachable; more are refused (`execs-full`). */
  execsMax: 32,
  /** Output of an ended session or exec stays attachable; then it is dropped. */
  endedKeepMs: 10 * 60_000,
  endedKeepMax: 64,
  /** How long a command's output waits for its first client once half the ring is full; then the oldest is dropped. */
  firstClientWaitMs: 10_000,
  /** A command's output after its end; what has not arrived by then is left out. */
  outputGraceMs: 2000,
  gatewayReadyTimeoutMs: 10_000,
  gatewayServeTimeoutMs: 10_000,
  gatewayPingMs: 1000,
  /** A gateway silent for this long is killed and replaced. */
  gatewaySilentMs: 5000,
  gatewayBackoffMaxMs: 5000,
  /** A gateway up for this long has its backoff forgotten. */
  gatewayStableMs: 30_000,
  gatewayStopMs: 5000,
  uidRestMs: 60_000,
  /** Between the freeze at the end of a session's time and its kill. */
  ttlGraceMs: 60_000,
  /** A frozen session is killed. */
  frozenMaxMs: 24 * 3600_000,
  /** Session ids that were killed and may not start; the oldest are forgotten (ids are never reused). */
  stoppedMax: 10_000,
  /** A proposal nobody applied or discarded. */
  proposalKeepMs: 30 * 24 * 3600_000,
  housekeepingMs: 60_000,
  /** A workspace process that is not done by then is killed. */
  workspaceJobTimeoutMs: 120_000,
  workspaceAnswerBytesMax: 4 * 1024 ** 2,
  workspaceJobsMax: 4,
  /** Disk use of a session is measured this often, but never more than 2 % of the time; over it the session is killed. */
  usageEveryMs: 1000,
  usageShareMax: 50,
  /** Direct mode: protected names at the top are looked for this often, the whole tree more rarely. */
  quarantineTopMs: 500,
  quarantineTreeMs: 10_000,
  /** Direct mode: how long a start waits for the list of protected files that are there already. */
  protectedScanMs: 1000,
  /** Protected files that are made read-only, the folders above them counted too; the rest is only watched, and the start says how many. */
  protectedMountsMax: 40,
  /** Sockets, pipes and set-user-ID files in a directly bound workspace that are covered; the rest stays, and the start says how many. */
  coveredMax: 30,
  /** Protected paths that one session made appear; then it is killed. */
  quarantinedMax: 256,
  /** A signed permit is to be used within this time. */
  permitLifeMs: 60_000,
  /** Permits signed for one session, and for all of the host; as many may come at once. */
  permitsPerSecondMax: 200,
  permitsPerSecondTotalMax: 1000,
  shutdownMs: 15_000,
  /** Node's timers end here (2³¹ − 1 ms); a longer time is cut to it. */
  timerMsMax: 2_147_483_647,
  /** First wait between two looks of a teardown proof; doubled up to the second value. After the third the session is dirty. */
  proofRetryMs: 20,
  proofRetryMsMax: 1000,
  proofTotalMs: 30_000,
  /** The same at a start, which waits for it. */
  sweepProofMs: 2000,
  /** A dirty session is killed, removed and proved again this often; when all is proved the tenant may start sessions again. */
  dirtyRetryMs: 5000,
} as const;

/** Limits of reading and applying a proposal. */
export const workspaceLimits = {
  /** Entries of an upper layer; more refuses to read the proposal (`proposal-too-large`). */
  treeEntriesMax: 200_000,
  /** Bytes hashed in one reading; files beyond are listed as refused. The native walk also refuses single files over 1 GiB. */
  treeHashBytesMax: 4 * 1024 ** 3,
  /** Output of the native walk; more refuses. */
  treeOutputBytesMax: 256 * 1024 ** 2,
  /** JSON of all changes in one answer: diffs are left out first, then new folders are folded, then it refuses. */
  changesBytesMax: 3 * 1024 ** 2,
  /** Each list of an apply's answer; cut with the count of the rest. */
  outcomeBytesMax: 1024 ** 2,
  /** A text file larger than this on either side gets no diff. */
  diffFileBytesMax: 128 * 1024,
  /** All diffs of one answer together; files after that get none. */
  diffTotalBytesMax: 1024 ** 2,
  diffFilesMax: 500,
  /** Edits of one diff; beyond it the file gets no diff. Bounds time: the text is the agent's. */
  diffEditsMax: 4000,
  /** One name of a change that a client sends back. */
  pathBytesMax: 32 * 1024,
  symlinkTargetBytesMax: 4095,
  /** Changes of one apply that are flushed to disk one by one; for more, the whole file system is flushed once. */
  flushedSinglyMax: 64,
  copyChunkBytes: 1024 ** 2,
  /** Copied into quarantine when it cannot be renamed there (another file system); the rest of a larger file is lost. */
  quarantineCopyBytesMax: 16 * 1024 ** 2,
} as const;
