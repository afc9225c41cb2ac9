import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';

/**
 * Puts the write-ahead log on disk in a thread of its own. A sync within SQLite's commit stops the whole process for as
 * long as the disk takes, seconds when an agent writes to the same one, and with it a person's kill.
 */
export class WalSync {
  readonly #database: string;
  #file: Promise<FileHandle> | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;

  constructor(database: string) {
    this.#database = database;
  }

  /** Everything that was committed before this call is on disk when it resolves; several callers share one sync. */
  flush(): Promise<void> {
    if (this.#running === null) return this.#start();
    // The one under way may have begun before the caller's commit was written.
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#running?.catch(() => undefined);
    const file = await this.#file?.catch(() => null);
    this.#file = null;
    await file?.close();
  }

  #start(): Promise<void> {
    this.#next = null;
    const mine = this.#sync().finally(() => {
      if (this.#running === mine) this.#running = null;
    });
    this.#running = mine;
    return mine;
  }

  async #sync(): Promise<void> {
    this.#file ??= this.#open().catch((error: unknown) => {
      this.#file = null;
      throw error;
    });
    await (await this.#file).datasync();
  }

  /** SQLite keeps the same log for as long as it has the database open; its name in the folder is made durable once. */
  async #open(): Promise<FileHandle> {
    const file = await open(`${this.#database}-wal`, 'r+');
    await using folder = await open(path.dirname(this.#database), 'r');
    await folder.sync();
    return file;
  }
}
