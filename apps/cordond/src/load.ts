import { statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Load } from '@cordon/gateway';

/** How often the loop is asked whether it is late; what it says of an idle loop. */
const resolutionMs = 20;
const nanosecondsPerMs = 1e6;

/** Measures this process and the disk of `folder`; each reading starts the next one's delay anew. For `Gateway`'s `load`. */
export function watchLoad(folder: string): () => Load {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  // Without a limit of a cgroup the kernel answers with a number beyond all memory, or with 0.
  const limit = process.constrainedMemory();
  const memoryBytesMax = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return () => {
    const delayMs = Math.max(0, delay.percentile(99) / nanosecondsPerMs - resolutionMs);
    delay.reset();
    const { bsize, bavail, blocks } = statfsSync(folder);
    return {
      memoryBytes: process.memoryUsage.rss(),
      memoryBytesMax,
      delayMs,
      diskFreeBytes: bavail * bsize,
      diskBytes: blocks * bsize,
    };
  };
}
