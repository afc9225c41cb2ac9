import { type EgressErrorCode, statusOf } from '@cordon/egress';
import { isCordonError } from '@cordon/protocol';

/** Why an allowed effect did not come about, in words that an agent may read. */
export interface Failure {
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly nextSteps: readonly string[];
}

/** What upstream said or a stack trace never gets into an answer: only codes of our own unions do. */
const details: ReadonlyMap<string, string> = new Map([
  ['upstream-connect', 'no connection to the server'],
  ['upstream-connect-timeout', 'the server did not accept the connection in time'],
  ['upstream-tls', 'the server did not prove that it is this host'],
  ['upstream-tls-timeout', 'the server did not finish the TLS handshake in time'],
  ['upstream-protocol', 'the server broke the HTTP protocol'],
  ['upstream-reset', 'the server closed the connection before it answered'],
  ['upstream-first-byte', 'the server did not answer in time'],
  ['upstream-idle', 'the server stopped in the middle of its answer'],
  ['upstream-aborted', 'the server broke off in the middle of its answer'],
  ['upstream-busy', 'too many connections to this server'],
  ['answer-incomplete', 'the server broke off in the middle of its answer'],
  ['answer-unreadable', 'the answer came in a coding that cannot be searched for the secret that was sent'],
  ['answer-too-large', 'the answer is over the limit'],
]);

/** Errors after which the request cannot have reached the server. */
const unsent: ReadonlySet<string> = new Set([
  'upstream-connect',
  'upstream-connect-timeout',
  'upstream-tls',
  'upstream-tls-timeout',
  'upstream-busy',
  'request-framing',
  'permit-stopped',
  'permit-stale',
  'permit-expired',
  'permit-mismatch',
  'permit-unavailable',
]);

export function isUnsent(code: string): boolean {
  return unsent.has(code);
}

export function codeOf(error: unknown): string {
  return isCordonError(error) ? error.code : 'fault';
}

export function failureOf(error: unknown): Failure {
  const code = codeOf(error);
  const detail = details.get(code);
  if (code === 'permit-stopped') {
    return { code: 'session-stopped', status: 403, detail: 'the session was stopped', nextSteps: [] };
  }
  if (code === 'permit-stale') {
    return {
      code: 'stale-policy',
      status: 403,
      detail: 'the control plane is not reachable',
      nextSteps: ['try again'],
    };
  }
  if (code === 'flow-R7') {
    const detail = 'what the answer would tell could not be noted at the workspace, so it was not let in';
    return { code, status: 403, detail, nextSteps: ['cordon status', 'try again'] };
  }
  if (code === 'permit-unavailable') {
    const words = error instanceof Error ? error.message : '';
    const detail = `no permit could be had for the server, so nothing was sent: ${words}`;
    return { code, status: 503, detail, nextSteps: ['try again in a few seconds', 'cordon status'] };
  }
  if (code === 'no-longer-permitted') {
    const detail = 'the policy changed while the request was under way and no longer permits it';
    return { code: 'no-longer-permitted', status: 403, detail, nextSteps: [] };
  }
  if (code.startsWith('upstream-')) {
    const words = detail ?? 'the exchange with the server failed';
    return { code, status: statusOf(code as EgressErrorCode), detail: words, nextSteps: [] };
  }
  if (detail !== undefined) return { code, status: 502, detail, nextSteps: [] };
  return { code: 'fault', status: 500, detail: 'Cordon could not do this, so it was not done', nextSteps: [] };
}
