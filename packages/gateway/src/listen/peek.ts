import type { Socket } from 'node:net';

/**
 * Reads just enough of a connection to know what it speaks, and puts every byte back.
 * null: the peer closed, fell silent for `timeoutMs`, or sent `bytesMax` without saying what it is.
 */
export function peek<T>(
  socket: Socket,
  classify: (bytes: Buffer) => T | null,
  options: { readonly bytesMax: number; readonly timeoutMs: number },
): Promise<T | null> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const finish = (result: T | null): void => {
      clearTimeout(timer);
      socket.off('data', read);
      socket.off('close', gone);
      socket.off('end', gone);
      socket.pause();
      if (seen.length > 0 && !socket.destroyed) socket.unshift(seen);
      resolve(result);
    };
    const read = (chunk: Buffer): void => {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const result = classify(seen);
      if (result !== null || seen.length >= options.bytesMax) finish(result);
    };
    const gone = (): void => finish(null);
    const timer = setTimeout(gone, options.timeoutMs);
    socket.on('close', gone);
    socket.on('end', gone);
    socket.on('data', read);
    socket.resume();
  });
}
