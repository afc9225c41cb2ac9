import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ledgerError } from './error.ts';

export interface Lock extends Disposable {
  release(): void;
}

/**
 * An exclusive lock on a file that the kernel holds for this process and drops when it dies, however it dies.
 * Node has no `flock`; SQLite takes `fcntl` locks, and an exclusive transaction that writes nothing keeps them.
 *
 * @throws CordonError `ledger-locked` when another holder lives
 */
export function openLock(path: string): Lock {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isBusy(error)) throw ledgerError('ledger-locked', `${path} is held by another process`, error);
    throw ledgerError('ledger-down', `${path} cannot be locked`, error);
  }
  const held = database;
  const release = (): void => {
    if (held.isOpen) held.close();
  };
  return { release, [Symbol.dispose]: release };
}

function isBusy(error: unknown): boolean {
  const sqliteBusy = 5;
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy;
}
