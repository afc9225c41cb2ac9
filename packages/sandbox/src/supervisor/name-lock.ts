import { createHash } from 'node:crypto';
import { existsSync, linkSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { CordonError, type Random } from '@cordon/protocol';
import { isFault } from '../workspace/beneath.ts';
import type { SupervisorErrorCode } from './error.ts';

/** Held until it is released, or until this process ends, however it ends. */
export interface NameLock {
  release(): void;
}

/**
 * Locks by name that the kernel drops with their holder, so that none is ever stale: abstract Unix sockets, which no
 * other call of Node gives. Their names are public and anybody may take one; so they are made from a secret that only
 * this user can read. They end at a network namespace.
 */
export class NameLocks {
  readonly #secret: string;

  /** @throws CordonError `folder-unsafe` when the secret is not this user's alone */
  constructor(secretFile: string, random: Random) {
    this.#secret = readSecret(secretFile, random);
  }

  /** Null when another process holds it. */
  take(name: string): NameLock | null {
    const digest = createHash('sha256').update(`${this.#secret} ${name}`).digest('hex');
    const server = createServer((socket) => socket.destroy());
    server.on('error', () => undefined); // told by `listening`, too
    // Binding a path is done when `listen` returns; only its event comes later.
    server.listen({ path: `\0cordon-${digest}` });
    if (!server.listening) return null;
    server.unref();
    return { release: () => server.close() };
  }
}

/** Made whole and then given its name, so that two that come at once read the same. */
function readSecret(file: string, random: Random): string {
  if (!existsSync(file)) {
    const fresh = `${file}.${Buffer.from(random.bytes(8)).toString('hex')}`;
    writeFileSync(fresh, Buffer.from(random.bytes(32)).toString('hex'), { flag: 'wx', mode: 0o600 });
    try {
      linkSync(fresh, file);
    } catch (error: unknown) {
      if (!isFault(error, 'EEXIST')) throw error;
    } finally {
      rmSync(fresh, { force: true });
    }
  }
  const info = lstatSync(file);
  if (!info.isFile() || info.uid !== process.getuid?.() || (info.mode & 0o077) !== 0) {
    throw new CordonError<SupervisorErrorCode>('folder-unsafe', `${file} is not this user's alone`, { expose: true });
  }
  return readFileSync(file, 'utf8');
}
