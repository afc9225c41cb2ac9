import type { DetailedError } from '../engine/answer.ts';

/** One thing that is wrong with a policy, where, and what would mend it; `api.policyProblem` on the wire. */
export interface PolicyProblem {
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly code: ProblemCode;
  readonly message: string;
  readonly mend: string | null;
}

export type ProblemCode =
  | 'annotation-invalid'
  | 'annotation-misplaced'
  | 'annotation-unknown'
  | 'arithmetic'
  | 'check-unknown'
  | 'engine-failed'
  | 'expires-invalid'
  | 'extension-type'
  | 'grant-invalid'
  | 'id-duplicate'
  | 'id-invalid'
  | 'layer-missing'
  | 'layer-unexpected'
  | 'not-literal'
  | 'optional-field'
  | 'policy-too-long'
  | 'rungs-invalid'
  | 'self-test'
  | 'syntax'
  | 'absence-allows'
  | 'template'
  | 'too-deep'
  | 'too-many'
  | 'validation';

export function problem(
  file: string,
  code: ProblemCode,
  message: string,
  mend: string | null = null,
  place: Place | null = null,
): PolicyProblem {
  return { file, line: place?.line ?? null, column: place?.column ?? null, code, message, mend };
}

export interface Place {
  /** Both count from 1; a column counts characters, not bytes. */
  readonly line: number;
  readonly column: number;
}

/** Cedar counts in bytes of UTF-8. */
export function placeOf(text: string, byteOffset: number): Place {
  const before = Buffer.from(text, 'utf8').subarray(0, byteOffset).toString('utf8');
  const lines = before.split('\n');
  return { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1 };
}

/** What Cedar itself found, in one line. */
export function fromEngine(file: string, text: string, code: ProblemCode, error: DetailedError): PolicyProblem {
  const at = error.sourceLocations?.[0];
  return problem(file, code, error.message, error.help, at === undefined ? null : placeOf(text, at.start));
}
