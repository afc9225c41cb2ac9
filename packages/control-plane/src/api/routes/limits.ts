import { protocolLimits } from '@cordon/protocol';
import { limits } from '../../limits.ts';
import type { RouteLimits } from '../route.ts';

/** A read that touches the index or memory only. */
export const quick: RouteLimits = { bodyBytesMax: 0, concurrentMax: limits.apiRouteConcurrentMax, timeoutMs: 10_000 };
/** A change with a small body. */
export const change: RouteLimits = {
  bodyBytesMax: 64 * 1024,
  concurrentMax: limits.apiRouteConcurrentMax,
  timeoutMs: 30_000,
};
/** A body that carries files: an order with its policy, a check of many files. */
export const large: RouteLimits = {
  bodyBytesMax: protocolLimits.apiBodyBytesMax,
  concurrentMax: 32,
  timeoutMs: limits.apiHandlerTimeoutMs,
};
/** Work on a whole tree of files, or on the whole host. */
export const slow: RouteLimits = { bodyBytesMax: 256 * 1024, concurrentMax: 4, timeoutMs: limits.apiHandlerTimeoutMs };
