import { setInterval } from 'node:timers';
import type { Surroundings } from '../../surroundings.ts';

const everyMs = 500;

/** Says on a terminal that something takes its time, and how long it has taken; gone when the answer comes. */
export async function working<T>({ stderr }: Pick<Surroundings, 'stderr'>, what: string, work: Promise<T>): Promise<T> {
  if (stderr.isTTY !== true) return await work;
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    stderr.write(`\r${what}… ${Math.floor((ticks * everyMs) / 1000)} s`);
  }, everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (ticks > 0) stderr.write('\r\u001b[K');
  }
}
