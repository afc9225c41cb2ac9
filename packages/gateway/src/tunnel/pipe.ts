import { GatewayError, type GatewayErrorCode } from '../error.ts';
import type { Socket } from '../listen/wire.ts';

export interface PipeOptions {
  /** The agent's side. Both are the pipe's from here on, and are closed when it ends. */
  readonly near: Socket;
  readonly far: Socket;
  /** Both ways together. */
  readonly bytesMax: number;
  readonly lifeMs: number;
  readonly idleMs: number;
  readonly slowReaderMs: number;
  /** Aborts when the tunnel is no longer permitted; its reason says why. */
  readonly signal: AbortSignal;
  /** Told of each part as it passes: a tunnel may last for hours, and whoever watches wants to see it. */
  readonly passed: (way: 'out' | 'in', bytes: number) => void;
}

export interface Piped {
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Null: both sides came to their end. */
  readonly error: Error | null;
}

/**
 * Bytes both ways, with backpressure and half-close, counted and not read. Never rejects.
 * INVARIANT: a byte over the limit is not forwarded.
 */
export function pipe(options: PipeOptions): Promise<Piped> {
  const { near, far, signal } = options;
  let bytesOut = 0;
  let bytesIn = 0;
  return new Promise((resolve) => {
    let ended = 0;
    let settled = false;
    const finish = (error: Error | null): void => {
      if (settled) return;
      settled = true;
      for (const timer of timers) clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      for (const socket of [near, far]) {
        if (error === null) socket.destroySoon();
        else socket.destroy();
      }
      resolve({ bytesOut, bytesIn, error });
    };
    const cut = (code: GatewayErrorCode, message: string): void => finish(new GatewayError(code, message));
    const aborted = (): void => finish(signal.reason as Error);
    const life = setTimeout(() => cut('tunnel-life', 'the tunnel has lasted as long as it may'), options.lifeMs);
    const idle = setTimeout(() => cut('tunnel-idle', 'nothing has passed for too long'), options.idleMs);
    const timers = new Set([life, idle]);
    const forward = (from: Socket, to: Socket, count: (bytes: number) => void): void => {
      let slow: ReturnType<typeof setTimeout> | null = null;
      from.on('data', (chunk: Buffer) => {
        if (settled) return;
        if (bytesOut + bytesIn + chunk.length > options.bytesMax) {
          cut('tunnel-bytes', `a tunnel may carry ${options.bytesMax} bytes`);
          return;
        }
        count(chunk.length);
        idle.refresh();
        to.write(chunk, taken);
        // Not by the high water mark: that counts bytes, and a chunk of one byte takes hundreds while it waits.
        if (to.writableLength === 0) return;
        from.pause();
        slow ??= setTimeout(() => cut('slow-reader', 'the reader took nothing for too long'), options.slowReaderMs);
        timers.add(slow);
      });
      const taken = (): void => {
        if (slow === null || to.writableLength > 0) return;
        clearTimeout(slow);
        timers.delete(slow);
        slow = null;
        from.resume();
      };
      from.once('end', () => {
        to.end();
        ended += 1;
        if (ended === 2) finish(null);
      });
      from.once('close', () => {
        // An end that was said is a half; a socket that is gone without one takes the other with it.
        if (!from.readableEnded) finish(new GatewayError('stream-cut', 'one side broke the connection'));
      });
      from.resume();
    };
    // The server may end its half while the client still sends.
    far.allowHalfOpen = true;
    signal.addEventListener('abort', aborted);
    if (signal.aborted) {
      aborted();
      return;
    }
    forward(near, far, (bytes) => {
      bytesOut += bytes;
      options.passed('out', bytes);
    });
    forward(far, near, (bytes) => {
      bytesIn += bytes;
      options.passed('in', bytes);
    });
  });
}
