import type { Amounts, Intent } from '@cordon/protocol';

/** What an intent costs for certain; what comes back is paid as it passes. A message of a WebSocket is no request. */
export function costOf({ action, payload }: Intent): Amounts {
  return { requests: action === 'http.message' ? 0 : 1, bytes: payload.bytes };
}
