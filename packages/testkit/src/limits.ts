/** Limits of test servers: a test that runs away must end, not fill the machine. */
export const limits = {
  /** One request body at a scripted server; larger is answered 413. */
  requestBodyBytesMax: 32 * 1024 * 1024,
  /** One request's head; more than the gateway lets through, so that its own limit is what is met. */
  requestHeadBytesMax: 64 * 1024,
  /** Bytes a canary sink keeps of each connection or datagram; the rest is only counted. */
  sinkKeptBytesMax: 64 * 1024,
  /** Records a server or sink keeps; later ones are counted and not kept. */
  recordsMax: 10_000,
} as const;
