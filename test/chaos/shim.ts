import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const source = path.join(import.meta.dirname, 'shim.c');
const belowBytes = 1024;

export interface Switches {
  readonly clockSeconds?: number;
  readonly syncDelayMs?: number;
  /** Of the writes and syncs of files below the folder; 0: none. */
  readonly failOneIn?: number;
}

/**
 * A copy of Node that loads `shim.c`: the daemon hands no variable of ours down to its roles, so LD_PRELOAD would not
 * reach them, and a library for the whole machine would reach everybody.
 */
export class Shim implements Disposable {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'cshim-'));
  readonly node: string;
  #below = '';

  constructor() {
    this.node = path.join(this.#folder, 'node');
    const library = path.join(this.#folder, 'shim.so');
    this.set({});
    execFileSync('gcc', [
      '-O2',
      '-Wall',
      '-Werror',
      '-shared',
      '-fPIC',
      `-DSWITCHES="${this.#file}"`,
      '-o',
      library,
      source,
    ]);
    copyFileSync(realpathSync(process.execPath), this.node);
    chmodSync(this.node, 0o755);
    execFileSync('patchelf', ['--add-needed', library, this.node]);
  }

  get #file(): string {
    return path.join(this.#folder, 'switches');
  }

  /** Files below this folder are the ones that are slow or fail. */
  aim(below: string): void {
    this.#below = below;
  }

  /** In force at once, in every process that runs on this Node. */
  set({ clockSeconds = 0, syncDelayMs = 0, failOneIn = 0 }: Switches): void {
    const bytes = Buffer.alloc(3 * 8 + belowBytes);
    for (const [i, value] of [clockSeconds, syncDelayMs, failOneIn].entries())
      bytes.writeBigInt64LE(BigInt(value), i * 8);
    bytes.write(this.#below, 24, belowBytes - 1, 'utf8');
    const file = openSync(this.#file, constants.O_WRONLY | constants.O_CREAT, 0o644);
    try {
      writeSync(file, bytes, 0, bytes.length, 0);
    } finally {
      closeSync(file);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
