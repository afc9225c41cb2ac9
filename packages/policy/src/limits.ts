/** Limits of the policy engine and of what it reads. All end in refuse, except the two caches, which forget. */
export const limits = {
  /** Strict JSON, profile `arguments`: what policy reads. */
  argumentsDepthMax: 32,
  argumentsNodesMax: 10_000,
  argumentsBytesMax: 256 * 1024,
  /** Strict JSON, profile `document`: bodies that are hashed as bytes; the adapter's body cap comes on top. */
  documentDepthMax: 64,
  documentNodesMax: 500_000,
  /** Names on the wire are at most 253 octets without the final dot (RFC 1035 §2.3.4). */
  hostCharsMax: 253,
  labelCharsMax: 63,
  /** Depth of names in an entity slice: 127 labels would be legal, nothing in use comes near. */
  hostLabelsMax: 16,
  pathCharsMax: 8 * 1024,
  pathSegmentsMax: 256,
  urlCharsMax: 16 * 1024,
  /** Arguments, numbers and checks among the facts. */
  factsCharsMax: 16 * 1024,
  entitiesMax: 24,
  grantsMax: 256,
  policiesMax: 2000,
  policyCharsMax: 16 * 1024,
  policyFileCharsMax: 1024 * 1024,
  annotationCharsMax: 1024,
  expressionDepthMax: 128,
  /** Policy sets kept parsed inside one engine instance; the least recently used one is replaced. */
  engineSlotsMax: 256,
  /** Policies that a place must rule out for it to have a set of its own, and that may be left in it, or in an action's own. */
  focusOmitsMin: 32,
  focusKeptMax: 64,
  /** Parts of the schema, one for each action and what is read of it, kept likewise. */
  engineViewsMax: 128,
  /** Layers kept compiled per engine, so that the sessions of a tenant share its layers. */
  compiledLayersMax: 512,
  /** Places kept per snapshot: where a session goes again and again. */
  placesMax: 64,
  /** Answers of the engine that are remembered; 0 switches the memo off. */
  memoEntriesMax: 4096,
  /** Signed answers to one hold; rungs ask for as many people at most. */
  /** Groups that one grant names as its approvers. */
  approverGroupsMax: 16,
  approvalsMax: 16,
  rungsMax: 4,
  /** Byte-equal repetitions that one approval may let through. */
  approvalUsesMax: 20,
  approvalBytesMax: 8 * 1024,
  /** An endorsement: how long, how often, how many bytes in all, how many destinations of what length, and its record. */
  endorsementMs: 8 * 60 * 60 * 1000,
  endorsementUsesMax: 1000,
  endorsementTrafficBytesMax: 64 * 1024 * 1024,
  endorsementDestinationsMax: 16,
  endorsementDestinationCharsMax: 1024,
  endorsementBytesMax: 24 * 1024,
  /** Circuit breaker: this many denials of one session for one action at one resource within the window. */
  breakerDenialsMax: 5,
  breakerWindowMs: 60_000,
  breakerReadsOnlyMs: 300_000,
  /** A second time within this closes the way until a person resets it. */
  breakerAgainWithinMs: 1_800_000,
  /** A destination is left alone when, of at least so many outcomes within the window, so many in a hundred failed. */
  sinkAsksMin: 20,
  sinkFailedPercent: 50,
  sinkWindowMs: 60_000,
  /** Then one ask finds out. */
  sinkClosedMs: 60_000,
  sinkOutcomesMax: 256,
  /** Labels: readers (more are nobody) and sources (the first by code unit are kept). */
  labelReadersMax: 32,
  labelSourcesMax: 64,
  /** What is read of a person's order, and what it may name. */
  orderCharsMax: 256 * 1024,
  orderEntitiesMax: 256,
  /** Critical arguments of one body, and of each its characters. */
  criticalArgumentsMax: 64,
  criticalCharsMax: 2 * 1024,
  /** Rules for critical arguments of one grant. */
  criticalRulesMax: 16,
  /** What a read may carry to where its data may not go: bytes that no grant fixed, a request and a session. */
  leakRequestBytesMax: 1024,
  leakSessionBytesMax: 64 * 1024,
  /** Texts that a session has sent before; naming one again costs two bytes, so there must be fewer than 2^16. */
  leakTextsMax: 4096,
  /** A permit is to be started within this time. */
  permitStartMs: 10_000,
  /** Permits that were made and not yet consumed, per minter; more refuses. */
  permitsOpenMax: 65_536,
  /** A bundle's archive, and the files in it with manifest and schema. */
  bundleBytesMax: 8 * 1024 * 1024,
  bundleFilesMax: 1000,
  /** Keys in a trust root. */
  trustSignersMax: 64,
  /** Proof over the finite part (`policy check`, activation): requests that the engine judges. */
  spaceRequestsMax: 200_000,
  /** Places and names that are tried; more are cut off and counted. */
  spaceScenesMax: 2000,
  /** Scenes, and values of an argument, that one policy gives. */
  spaceSamplesMax: 64,
  /** Assignments of one search; beyond that the proof says that it is not complete. */
  spaceStepsMax: 5_000_000,
  /** Requests between two pauses of a proof. */
  spaceYieldItems: 256,
  spaceFindingsMax: 50,
  /** Pairs of facts that an explanation tries, and how many it shows. */
  nearestTriesMax: 1500,
  nearestPairsMax: 8,
} as const;
