/** What the client accepts from a server; each ends the call with an error. */
export const limits = {
  answerBytesMax: 64 * 1024 * 1024,
  eventBytesMax: 1024 * 1024,
  /** Keys that one effector believes. */
  permitKeysMax: 16,
  /** A permit that lives longer is refused: it would have to be remembered for longer. */
  permitLifeMsMax: 60_000,
  /** By how much the signer's clock may be ahead of the effector's. */
  permitSkewMsMax: 5000,
  /** Used permits that are remembered until they expire. */
  usedPermitsMax: 65_536,
  /** Another process that holds the file of used permits is waited for. */
  usedBusyMs: 5000,
} as const;
