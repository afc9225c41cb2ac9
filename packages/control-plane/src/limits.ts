/** Limits of the control plane. Each names its unit; `docs/limits.md` says who owns it and how it ends. */
export const limits = {
  /** Open connections on the API socket; more are closed at once. */
  apiConnectionsMax: 512,
  /** Requests of one route that run at the same time, unless the route says otherwise; more: 503 `busy`. */
  apiRouteConcurrentMax: 64,
  apiHeadBytesMax: 16 * 1024,
  apiHeadersMax: 64,
  /** A request's head and body must have come by then. */
  apiRequestTimeoutMs: 30_000,
  apiKeepAliveMs: 65_000,
  apiHandlerTimeoutMs: 120_000,
  pageItemsDefault: 100,
  pageItemsMax: 500,
  /** Entries that one call looks through for those about something. */
  ledgerSearchEntriesMax: 5_000,
  cursorCharsMax: 256,
  /** One for each `run` that is attached, and some for those who watch. */
  eventStreamsMax: 320,
  eventKeepAliveMs: 15_000,
  /** Bytes that a slow reader of events may leave unread; then its stream is closed and it resumes by cursor. */
  eventBacklogBytesMax: 4 * 1024 * 1024,
  attachStreamsMax: 256,
  idempotencyKeyCharsMax: 128,
  idempotencyKeptMs: 24 * 3600_000,
  /** A profile, a cordon.yaml or a policy file. */
  configFileBytesMax: 256 * 1024,
  profilesMax: 64,
  policyFilesMax: 256,
  /** Of all files of a tenant together: a generation is recorded whole. */
  policyBytesMax: 256 * 1024,
  /** Wait for further changes of the same folder before it is read again. */
  policyReloadDelayMs: 50,
  sessionsAliveMax: 256,
  sessionGrantsMax: 256,
  sessionSecretsMax: 64,
  sessionHostNamesMax: 256,
  /** Raw TCP grants of one session, each a listening socket in its sandbox. */
  sessionTcpSocketsMax: 32,
  interpreterDepthMax: 4,
  supervisorStartTimeoutMs: 45_000,
  supervisorStopTimeoutMs: 20_000,
  supervisorHelloTimeoutMs: 5000,
  supervisorRetryMs: 100,
  supervisorRetryMaxMs: 2000,
  gatewayPushTimeoutMs: 5000,
  /** Figures of a gateway or a sandbox that do not come in time are shown as unknown. */
  gatewayStatsTimeoutMs: 1000,
  /** A gateway denies when it has not heard from us for this long (issue: 15 s); a beat is sent three times in it. */
  gatewayLeaseMs: 15_000,
  /** A head of a tenant is on record in the tree of the infrastructure after this long at most. */
  headIntervalMs: 60_000,
  /** Entries of that tree that are looked through at once for a head. */
  headsReadMax: 100,
  /** Between two rounds of asking witnesses. */
  witnessIntervalMs: 60_000,
  /** After an approval, an activation or a kill, so that several at once are one round. */
  witnessDelayMs: 1000,
  uplinkConnectionsMax: 16,
  secretLeaseMs: 300_000,
  /** Whose signatures count; the list is one small file. */
  peopleMax: 64,
  personKeysMax: 4,
  /** Questions to people that are not answered, or answered and not used; more: deny `hold-limit`. */
  holdsPerSessionMax: 16,
  holdsMax: 1000,
  /** How long a question stands. */
  holdMs: 15 * 60_000,
  /** How long the gateway that got a use of an answer has to begin. */
  approvalReceiptMs: 60_000,
  /** The largest body that a person is asked about; what cannot be shown whole cannot be approved. */
  holdPayloadBytesMax: 256 * 1024,
  holdSweepMs: 1000,
  /** Endorsements that are not over. */
  endorsementsPerSessionMax: 16,
  endorsementsMax: 256,
  /** When one is signed, the clock of whoever signs may be off by this. */
  endorsementSkewMs: 5 * 60_000,
  /** An answer that comes sooner, or one of more in an hour, is flagged. */
  answerQuickMs: 2000,
  answersPerHourMax: 20,
  webhookTimeoutMs: 5000,
  webhookTriesMax: 3,
  /** Between two tries, twice as long each time. */
  webhookRetryMs: 1000,
  /** Messages that wait for the receiver; the oldest goes. */
  webhooksWaitingMax: 100,
  /** How long a stop waits for the supervisor to carry it out (it gives up on the kernel after 10 s itself). */
  stopCallTimeoutMs: 20_000,
  /** A kill without an answer for this long is a reason to ask whether the supervisor says anything at all. */
  killPatienceMs: 2000,
  /** One that then says nothing for this long is ended, and its sandboxes with it. */
  supervisorSilenceMs: 8000,
  /** How long the answer to a kill waits for the sessions' ends to be recorded as well. */
  stopEndWaitMs: 2000,
  /** Between two tries to open a journal that failed. */
  journalReopenMs: 1000,
  /** At least so often the journals are followed into the tree. */
  integrateIntervalMs: 1000,
  /** After a word that one has grown; several such words are one run. */
  integrateDelayMs: 200,
  heartbeatIntervalMs: 10_000,
  /** Lines about what was recovered that `status` shows; the ledger has all. */
  recoveredWordsMax: 100,
  /** Files of tests and cases in one `policy test`. */
  policyTestCasesMax: 1000,
  /** Recorded decisions that one diff or replay judges again, newest first, and the changes that it shows. */
  trafficDecisionsMax: 5000,
  trafficChangesMax: 200,
  /** Decisions that a shadow policy judges in a second; the others are not looked at. */
  shadowPerSecondMax: 20,
  /** Attempts that it remembers to have seen. */
  shadowSeenMax: 10_000,
  policyHistoryMax: 100,
  /** Denied attempts that one `policy suggest` looks at, newest first. */
  suggestAttemptsMax: 5000,
  /** What it lists beside the grants. */
  suggestApartMax: 100,
  /** Purses that were recorded as empty; then they are recorded anew. */
  emptyPursesMax: 4_096,
  /** Breaker of the fleet: one resource denied in so many sessions of so many agents within the window. */
  fleetSessionsMin: 5,
  fleetAgentsMin: 2,
  fleetWindowMs: 300_000,
  /** Sessions kept of one resource, resources, alarms; and how long an alarm is shown. */
  fleetSessionsMax: 256,
  fleetResourcesMax: 4_096,
  fleetAlarmsMax: 100,
  fleetShownMs: 3_600_000,
} as const;
