/** What a server of any protocol offers for this. */
interface Listener {
  listen(path: string, ready: () => void): unknown;
  once(event: 'error', failed: (error: Error) => void): unknown;
  removeListener(event: 'error', failed: (error: Error) => void): unknown;
}

/** The caller made the folder (0700) and set the umask: the socket is born 0600. */
export function listenAt(server: Listener, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
