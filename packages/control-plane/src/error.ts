import { CordonError } from '@cordon/protocol';

/** Every way in which the API says no, with the HTTP status that goes with it. */
export const statuses = {
  'request-invalid': 400,
  'not-found': 404,
  'method-not-allowed': 405,
  'session-ended': 409,
  'session-stopped': 409,
  'stop-permanent': 409,
  conflict: 409,
  'etag-mismatch': 412,
  'body-too-large': 413,
  'media-type': 415,
  'idempotency-mismatch': 422,
  'policy-invalid': 422,
  'policy-rollback': 409,
  'bundle-invalid': 422,
  'bundle-unsigned': 422,
  'trust-invalid': 422,
  'profile-unknown': 422,
  'profile-invalid': 422,
  'command-not-found': 422,
  'workspace-invalid': 422,
  'driver-unavailable': 422,
  'tenant-unknown': 422,
  'secret-unknown': 422,
  'secret-misplaced': 422,
  'person-unknown': 404,
  'person-operator': 409,
  'key-known': 409,
  'hold-settled': 409,
  'hold-stale': 409,
  'hold-mismatch': 409,
  'hold-limit': 429,
  'approval-unsatisfiable': 409,
  'endorsement-nothing': 409,
  'endorsement-limit': 429,
  'people-full': 409,
  'upgrade-required': 426,
  'too-many-sessions': 429,
  internal: 500,
  busy: 503,
  'supervisor-unavailable': 503,
  'gateway-unavailable': 503,
  'start-failed': 503,
  'ledger-unavailable': 503,
  'shutting-down': 503,
  // Start-up only; they never reach a client.
  'route-invalid': 500,
  'already-running': 500,
  'state-unusable': 500,
  'people-damaged': 500,
} as const;
export type ControlErrorCode = keyof typeof statuses;

/** What to do about `ledger-unavailable`. */
export const unwritableSteps: readonly string[] = ['check the disk of $CORDON_HOME', 'cordon status'];

/** An answer for the person who asked: it may be read as it is and says what to do next. */
export function refusal(
  code: ControlErrorCode,
  message: string,
  nextSteps: readonly string[] = [],
  cause?: unknown,
): CordonError<ControlErrorCode> {
  return new CordonError(code, message, { expose: true, nextSteps, ...(cause === undefined ? {} : { cause }) });
}

/** A fault of ours: the client reads only the code. */
export function fault(code: ControlErrorCode, message: string, cause?: unknown): CordonError<ControlErrorCode> {
  return new CordonError(code, message, cause === undefined ? {} : { cause });
}

export function isControlCode(code: string): code is ControlErrorCode {
  return Object.hasOwn(statuses, code);
}
