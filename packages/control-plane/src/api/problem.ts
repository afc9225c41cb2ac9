import { CordonError, isCordonError, type Problem, problemType } from '@cordon/protocol';
import type { z } from 'zod';
import { type ControlErrorCode, isControlCode, refusal, statuses, unwritableSteps } from '../error.ts';

/**
 * What a client reads of an error: RFC 9457. A message is shown only if its thrower said that it may be;
 * a fault shows its code, and the log has the rest.
 */
export function toProblem(error: unknown): Problem {
  const known = inOurWords(error);
  const code = known.expose || isControlCode(known.code) ? known.code : 'internal';
  const status = isControlCode(code) ? statuses[code] : known.expose ? 422 : 500;
  return {
    type: problemType(code),
    title: titleOf(code),
    status,
    detail: known.expose ? known.message : 'cordond could not do this; its log says why',
    code,
    next_steps: known.expose ? known.nextSteps : ['read the log of cordond', 'cordon status'],
  };
}

/** What the host has run out of is not a fault of ours, and whoever asks can do something about it. */
function inOurWords(error: unknown): CordonError {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code === 'EMFILE' || code === 'ENFILE') {
    return refusal('busy', 'cordond has no descriptor left to do this with', ['try again', 'cordon status'], error);
  }
  if (typeof code === 'string' && diskCodes.has(code)) return unwritable(error);
  if (!isCordonError(error)) return new CordonError<ControlErrorCode>('internal', 'unexpected fault');
  return code === 'store-unwritable' ? unwritable(error) : error;
}

/** A disk that is full, read-only, over its quota or failing. */
const diskCodes: ReadonlySet<string> = new Set(['ENOSPC', 'EROFS', 'EDQUOT', 'EIO']);

function unwritable(error: unknown): CordonError {
  return refusal('ledger-unavailable', 'the state cannot be written, so nothing new is done', unwritableSteps, error);
}

/** The first three failures of a schema, each with the place in the request where it was found. */
export function toInvalid(where: 'body' | 'query' | 'path', error: z.ZodError): CordonError<ControlErrorCode> {
  const parts = error.issues.slice(0, 3).map((issue) => {
    const place = [where, ...issue.path.map(String)].join('.');
    return `${place}: ${issue.message}`;
  });
  return refusal('request-invalid', parts.join('; '), ['see GET /v1/openapi.json for the schema of this request']);
}

function titleOf(code: string): string {
  const words = code.replaceAll('-', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
