import type { Server as NetServer } from 'node:net';
import { TestkitError } from './error.ts';

/** Binds to an ephemeral loopback port and answers which. */
export function listenOnLoopback(server: NetServer, port = 0, address = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      const bound = server.address();
      if (bound === null || typeof bound === 'string')
        reject(new TestkitError('listen-failed', 'the listener has no port'));
      else resolve(bound.port);
    });
  });
}

/** Closes a listener and whatever is still connected to it. */
export function closeServer(server: NetServer & { closeAllConnections?: () => void }): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections?.();
  });
}
