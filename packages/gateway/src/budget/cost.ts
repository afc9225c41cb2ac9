import { defaultEffect, policyLimits } from '@cordon/policy';
import type { Amounts, Intent } from '@cordon/protocol';
import type { Purse } from './purse.ts';

/** What an intent costs for certain; what comes back is paid as it passes. A message of a WebSocket is no request. */
export function costOf({ action, payload }: Intent): Amounts {
  return { requests: action === 'http.message' ? 0 : 1, bytes: payload.bytes };
}

/**
 * What a read may tell at most, where a purse counts that: taken before its labels are worked out, since nothing may be awaited
 * behind them. Null: nobody counts it, or it is no read.
 */
export function leakReserve(purse: Purse, intent: Intent): Amounts | null {
  if (!purse.isLimited('leak') || defaultEffect(intent) !== 'read') return null;
  return { leak: policyLimits.leakRequestBytesMax };
}
