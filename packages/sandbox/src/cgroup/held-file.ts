import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';

/** The kernel's answers to what is asked here are a few lines. */
const answerBytesMax = 4096;

/**
 * A kernel file that a stop writes or reads. Once held it stays open: a stop must work in a process that may open
 * nothing more. What is not held is opened for each use.
 */
export class HeldFile {
  readonly #path: string;
  readonly #flags: number;
  #fd: number | null = null;

  constructor(path: string, use: 'read' | 'write') {
    this.#path = path;
    this.#flags = use === 'read' ? constants.O_RDONLY : constants.O_WRONLY;
  }

  hold(): void {
    this.#fd ??= openSync(this.#path, this.#flags);
  }

  release(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  /** False when the file is gone, and what it stood for with it. */
  write(value: string): boolean {
    return this.#with((fd) => writeSync(fd, value)) !== null;
  }

  /** Null when the file is gone. */
  read(): string | null {
    return this.#with((fd) => {
      const bytes = Buffer.alloc(answerBytesMax);
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
    });
  }

  #with<Value>(use: (fd: number) => Value): Value | null {
    let opened: number | null = null;
    try {
      if (this.#fd === null) opened = openSync(this.#path, this.#flags);
      return use(this.#fd ?? (opened as number));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENODEV') return null;
      throw error;
    } finally {
      if (opened !== null) closeSync(opened);
    }
  }
}
