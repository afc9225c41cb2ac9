import { CordonError } from '@cordon/protocol';
import type { SupervisorErrorCode } from './error.ts';

const unwritable: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']);

/** It was killed while it started; nothing of it has run. */
export function stopped(reason: string): CordonError {
  const code: SupervisorErrorCode = 'session-stopped';
  return new CordonError<SupervisorErrorCode>(code, `it was killed before it ran: ${reason}`, { expose: true });
}

/**
 * What is said of a start that did not succeed. A kill is the reason, whatever broke of it; a disk that takes nothing is
 * said as such, because it is the one fault of a start that the person can mend.
 */
export function startError(error: unknown, killedFor: string | null): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (killedFor !== null) return code === 'session-stopped' ? error : stopped(killedFor);
  if (!unwritable.has(code)) return error;
  const message = `the disk of the state folder takes nothing (${code})`;
  return new CordonError<SupervisorErrorCode>('disk-unwritable', message, {
    expose: true,
    nextSteps: ['check the disk of $CORDON_HOME'],
    cause: error,
  });
}
