/**
 * Time and randomness come in as arguments everywhere (invariant I9), so that a decision can be replayed
 * and a test can hold them still. Only composition roots use the two `system*` values.
 */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch. For records and expiry that outsiders see. */
  now(): number;
  /** Monotonic clock, milliseconds, arbitrary zero. For durations; never goes back. */
  monotonic(): number;
}

export interface Random {
  /** `count` bytes from a cryptographically secure source. */
  bytes(count: number): Uint8Array;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

export const systemRandom: Random = pooledRandom(4096);

/** One call of the system's source for many ids. Each byte is given out once and is gone from here afterwards. */
function pooledRandom(poolBytes: number): Random {
  const pool = new Uint8Array(poolBytes);
  let used = poolBytes;
  return {
    bytes: (count) => {
      if (count > poolBytes / 16) return globalThis.crypto.getRandomValues(new Uint8Array(count));
      if (used + count > poolBytes) {
        globalThis.crypto.getRandomValues(pool);
        used = 0;
      }
      const bytes = pool.slice(used, used + count);
      pool.fill(0, used, used + count);
      used += count;
      return bytes;
    },
  };
}

/** RFC 3339 in UTC with milliseconds, the only form in which a time is recorded. */
export function timestamp(clock: Pick<Clock, 'now'>): string {
  return new Date(clock.now()).toISOString();
}
