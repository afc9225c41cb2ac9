import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const bytes = 128 * 1024 * 1024;
const fillChunk = Buffer.alloc(64 * 1024, 0x5a);

/** An ext4 of its own on a loop device: what happens to it happens to nobody else. */
export class Disk {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'cdisk-'));
  #at = '';
  #copies = 0;

  get #image(): string {
    return path.join(this.#folder, `image${this.#copies}`);
  }

  get #filler(): string {
    return path.join(this.#at, 'filler');
  }

  attach(at: string): void {
    closeSync(openSync(this.#image, 'wx', 0o600));
    truncateSync(this.#image, bytes);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', this.#image]);
    this.#at = at;
    this.mount();
    chmodSync(at, 0o700);
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.#at]);
  }

  /**
   * Taken out and put in again, as it is on the disk: the kernel replays its journal. A copy, because a mount namespace
   * of somebody else that has this mount too would keep the state in which it was given up.
   */
  remount(): void {
    this.unmount();
    const before = this.#image;
    this.#copies += 1;
    copyFileSync(before, this.#image);
    this.mount();
  }

  unmount(): void {
    execFileSync('umount', [this.#at]);
  }

  detach(): void {
    this.unmount();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** To the last block. */
  fill(): void {
    const file = openSync(this.#filler, 'a', 0o600);
    try {
      for (const chunk of [fillChunk, fillChunk.subarray(0, 512)]) {
        try {
          for (;;) writeSync(file, chunk);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
      // What the kernel promised without having a block for it comes out here.
      fsyncSync(file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  /** What the kernel does when it meets an error on the disk: from now on nothing can be written until it is mounted anew. */
  abort(): void {
    execFileSync('mount', ['-o', 'remount,abort', this.#at]);
  }
}
