import { connect, type Socket } from 'node:net';
import { fault } from '../error.ts';

/** A connection to a private Unix socket of ours; rejects with the system's error when nobody listens. */
export function connectSocket(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    const timer = setTimeout(
      () => socket.destroy(fault('supervisor-unavailable', `${path}: no answer after ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      // Whoever takes the socket adds its own; until then an error must not end the process.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

/** Nobody listens there: the socket file is missing, or a dead process left it. */
export function isNobody(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}
