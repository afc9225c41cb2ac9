import { CordonError, isCordonError } from '@cordon/protocol';
import { ApiError } from '@cordon/sdk';

/** Exit statuses of Cordon's own failures (contracts.md; the numbers are those of sysexits.h). */
export const exitStatus = {
  ok: 0,
  usage: 64,
  unavailable: 69,
  internal: 70,
  denied: 77,
  configuration: 78,
  killed: 137,
} as const;

export type CliErrorCode = 'usage' | 'unavailable' | 'configuration' | 'not-confirmed';

/** A mistake in the call: says what, and how it is meant. */
export function usageError(message: string, ...nextSteps: string[]): CordonError {
  return new CordonError<CliErrorCode>('usage', message, { expose: true, nextSteps });
}

export function configurationError(message: string, ...nextSteps: string[]): CordonError {
  return new CordonError<CliErrorCode>('configuration', message, { expose: true, nextSteps });
}

const configurationCodes = new Set([
  'policy-invalid',
  'bundle-invalid',
  'trust-invalid',
  'profile-unknown',
  'command-not-found',
  'workspace-invalid',
  'configuration',
]);
const deniedCodes = new Set([
  'bundle-unsigned',
  'policy-rollback',
  'session-stopped',
  'stop-permanent',
  'forbidden',
  'no-grant',
  'view-mismatch',
]);

export function exitStatusOf(error: unknown): number {
  if (!isCordonError(error)) return exitStatus.internal;
  if (configurationCodes.has(error.code)) return exitStatus.configuration;
  if (deniedCodes.has(error.code)) return exitStatus.denied;
  if (error.code === 'usage' || error.code === 'view-gone') return exitStatus.usage;
  if (
    error.code === 'unreachable' ||
    error.code === 'unavailable' ||
    error.code === 'stream-lost' ||
    error.code === 'not-confirmed'
  ) {
    return exitStatus.unavailable;
  }
  if (error instanceof ApiError) {
    if (error.status === 503 || error.status === 429) return exitStatus.unavailable;
    if (error.status >= 400 && error.status < 500) return exitStatus.usage;
  }
  return exitStatus.internal;
}
