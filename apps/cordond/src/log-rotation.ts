import { copyFileSync, fstatSync, ftruncateSync, readlinkSync } from 'node:fs';
import { protocolLimits as limits } from '@cordon/protocol';

/** Where a role's words go: its stderr, which all that it starts inherits. */
const stderr = 2;

/** Keeps the log below its bound for as long as the process lives. */
export function rotateLog(): Disposable {
  const timer = setInterval(() => rotate(stderr, limits.logBytesMax), limits.logCheckMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * What was written becomes `FILE.1`, in place of the one before, and the file begins anew. Others hold the same descriptor,
 * so it is copied and cut, not renamed: all of them append, and what one writes in between may be lost. The bound comes
 * first: what a full disk does not take as a copy is cut nevertheless.
 */
export function rotate(descriptor: number, bytesMax: number): void {
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size <= bytesMax) return;
    try {
      const file = readlinkSync(`/proc/self/fd/${descriptor}`);
      copyFileSync(file, `${file}.1`);
    } finally {
      ftruncateSync(descriptor, 0);
    }
  } catch {
    // A log is for people to read; the record is the ledger's.
  }
}
