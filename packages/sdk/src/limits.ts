/** What the client accepts from a server; each ends the call with an error. */
export const limits = {
  answerBytesMax: 64 * 1024 * 1024,
  eventBytesMax: 1024 * 1024,
} as const;
