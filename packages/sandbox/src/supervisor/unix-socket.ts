import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { CordonError, type Random } from '@cordon/protocol';
import type { SupervisorErrorCode } from './error.ts';
import { NameLocks } from './name-lock.ts';

/** Unix sockets of this host only: the supervisor touches node:net here and in name-lock.ts. */
export type UnixSocket = Socket;

export interface Listener {
  close(): Promise<void>;
}

/** Listens on a path in a folder that is ours alone (0700); the socket itself is 0600. */
export function listenOn(path: string, accept: (socket: Socket) => void): Promise<Listener> {
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    // Before anything else: a peer that is gone must not end this process.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => open.delete(socket));
    accept(socket);
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen({ path }, () => {
      chmodSync(path, 0o600);
      resolve({ close: () => closeServer(server, open) });
    });
  });
}

/**
 * Ours alone, or refused: what somebody else made could be exchanged under us.
 * @throws CordonError `folder-unsafe`
 */
export function createPrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const info = lstatSync(path);
  if (!info.isDirectory() || info.uid !== process.getuid?.()) {
    throw new CordonError<SupervisorErrorCode>('folder-unsafe', `${path} is not a folder of this user`, {
      expose: true,
    });
  }
  chmodSync(path, 0o700);
}

/**
 * One supervisor for one runtime folder.
 * @throws CordonError `supervisor-running`
 */
export async function lockRuntime(runtime: string, random: Random): Promise<Listener> {
  createPrivateFolder(runtime);
  const lock = new NameLocks(join(runtime, 'supervisor.lock'), random).take('supervisor');
  if (lock === null) throw running(runtime);
  // Abstract names end at a network namespace; a path does not.
  if (existsSync(join(runtime, 'supervisor.sock')) && (await answers(join(runtime, 'supervisor.sock')))) {
    lock.release();
    throw running(runtime);
  }
  return { close: () => Promise.resolve(lock.release()) };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function closeServer(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
}

function running(runtime: string): CordonError {
  return new CordonError<SupervisorErrorCode>('supervisor-running', `another supervisor serves ${runtime}`, {
    expose: true,
  });
}
