/** Limits of everything that crosses a process boundary. Each refuses; `docs/limits.md` lists them. */
export const limits = {
  /** One line of a private channel; longer closes the channel. */
  channelLineBytesMax: 4 * 1024 * 1024,
  /** Calls of one channel that wait for an answer. */
  channelCallsMax: 1024,
  channelCallTimeoutMs: 30_000,
  /** Payload of one attach frame; larger closes the stream. */
  attachFrameBytesMax: 64 * 1024,
  commandArgumentsMax: 4096,
  environmentVariablesMax: 512,
  sessionGrantsMax: 256,
  /** Sessions of one `policy suggest`. */
  suggestSessionsMax: 64,
  taskTextCharsMax: 64 * 1024,
  apiBodyBytesMax: 1024 * 1024,
  /** Files of one policy in a request: what a bundle may hold. */
  policyFilesMax: 1000,
  /** A bundle in base64, and a request that carries one or the files of one. */
  bundleCharsMax: 12 * 1024 * 1024,
  /** A signed record in base64: a bundle's manifest is the largest. */
  envelopeCharsMax: 1024 * 1024,
  envelopeSignaturesMax: 16,
  /** Edits between two bodies that are shown one by one; beyond that their sizes and digests are. */
  viewEditsMax: 200,
  /** Groups of one person. */
  personGroupsMax: 16,
  /** Why a person said no; the agent reads it. */
  denyReasonCharsMax: 512,
  /** A role's log, and how often it is looked at; one older file of the same size is kept. */
  logBytesMax: 8 * 1024 * 1024,
  logCheckMs: 10_000,
  /** A signed permit, as it stands in a header. */
  permitCharsMax: 4096,
} as const;
