import { CordonError } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';

export type SdkErrorCode =
  | 'unreachable'
  | 'answer-invalid'
  | 'answer-too-large'
  | 'stream-lost'
  | 'view-mismatch'
  | 'view-gone';

/** A refusal or failure that the API reported (problem+json): `code` is the server's, `status` is HTTP's. */
export class ApiError extends CordonError {
  readonly status: number;

  constructor(status: number, code: string, message: string, nextSteps: readonly string[]) {
    super(code, message, { expose: true, nextSteps });
    this.name = 'ApiError';
    this.status = status;
  }
}

/** Reads a problem+json body; anything else that came with an error status is reported by its status alone. */
export function apiErrorOf(status: number, body: string): ApiError {
  try {
    const problem = api.problem.parse(JSON.parse(body));
    return new ApiError(status, problem.code, problem.detail, problem.next_steps);
  } catch {
    return new ApiError(
      status,
      'answer-invalid',
      `the daemon answered with status ${status} and no readable reason`,
      [],
    );
  }
}
