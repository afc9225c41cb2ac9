import { CordonError } from '@cordon/protocol';

/** `escaped`: a way was open. `unclear`: nothing can be said, which is never taken for held. */
export type AttackErrorCode = 'escaped' | 'unclear' | 'usage' | 'unavailable' | 'interrupted';

export class AttackError extends CordonError<AttackErrorCode> {}

/** What got out, as the judge saw it from outside. */
export function escaped(what: string): AttackError {
  return new AttackError('escaped', what);
}

/** Why the judge cannot tell: the attack did not run, no answer came. */
export function unclear(why: string): AttackError {
  return new AttackError('unclear', why);
}
