/**
 * To be called with every error of an HTTP/2 session of node:http2. Until its stack is read or replaced, such an error
 * keeps the receivers of its frames, so the native session; that keeps the callback of a SETTINGS frame that the peer
 * never acknowledged, and the callback keeps everything: a peer that only breaks connections would fill the memory.
 */
export function letGoOfSession(error: Error): void {
  error.stack = `${error.name}: ${error.message}`;
}
