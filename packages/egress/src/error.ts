import { assertNever, CordonError } from '@cordon/protocol';

/** Faults. What a rule forbids is no fault but an `EgressRefusal`, which is a value. */
export type EgressErrorCode =
  | 'upstream-connect'
  | 'upstream-connect-timeout'
  | 'upstream-tls'
  | 'upstream-tls-timeout'
  | 'upstream-protocol'
  | 'upstream-reset'
  | 'upstream-first-byte'
  | 'upstream-idle'
  | 'upstream-aborted'
  | 'upstream-closed'
  | 'upstream-busy'
  | 'request-framing'
  | 'coding-malformed'
  | 'coding-too-large'
  | 'tls-client-refused'
  | 'tls-client-timeout'
  | 'tls-name-rate'
  | 'tls-name-invalid'
  | 'authority-invalid'
  | 'override-invalid'
  | 'authority-expired';

export function egressError(code: EgressErrorCode, message: string, cause?: unknown): CordonError<EgressErrorCode> {
  return new CordonError(code, message, { cause, expose: true });
}

/** The status that an agent gets for a fault on the way out. */
export function statusOf(code: EgressErrorCode): number {
  switch (code) {
    case 'upstream-connect-timeout':
    case 'upstream-tls-timeout':
    case 'upstream-first-byte':
    case 'upstream-idle':
      return 504;
    case 'upstream-connect':
    case 'upstream-tls':
    case 'upstream-protocol':
    case 'upstream-reset':
    case 'upstream-aborted':
      return 502;
    case 'upstream-busy':
    case 'upstream-closed':
      return 503;
    case 'coding-malformed':
      return 415;
    case 'coding-too-large':
      return 413;
    case 'tls-name-rate':
      return 429;
    case 'request-framing':
    case 'tls-name-invalid':
      return 400;
    case 'tls-client-refused':
    case 'tls-client-timeout':
    case 'authority-invalid':
    case 'override-invalid':
    case 'authority-expired':
      return 500;
    default:
      return assertNever(code, 'egress error');
  }
}
