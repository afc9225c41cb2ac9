import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

const headBytes = 8;

/**
 * The input that runs at this moment, in a file: when the process is killed, runs out of memory or hangs, it is still
 * known. One small write an input, into the page cache.
 */
export class CurrentInput implements Disposable {
  readonly #fd: number;
  readonly #buffer: Buffer;

  constructor(file: string, lengthMax: number) {
    this.#fd = openSync(file, 'w', 0o600);
    this.#buffer = Buffer.alloc(headBytes + lengthMax);
  }

  set(number: number, input: Uint8Array): void {
    this.#buffer.writeUInt32LE(number >>> 0, 0);
    this.#buffer.writeUInt32LE(input.length, 4);
    this.#buffer.set(input, headBytes);
    writeSync(this.#fd, this.#buffer, 0, headBytes + input.length, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** How many inputs there were; -1 before the first. */
export function currentNumber(file: string): number {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(headBytes);
    return readSync(fd, head, 0, headBytes, 0) < headBytes ? -1 : head.readUInt32LE(0);
  } finally {
    closeSync(fd);
  }
}

export function currentInput(file: string): Uint8Array {
  const bytes = readFileSync(file);
  return bytes.length < headBytes ? bytes : bytes.subarray(headBytes, headBytes + bytes.readUInt32LE(4));
}
