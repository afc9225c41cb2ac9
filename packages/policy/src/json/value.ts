import type { JsonErrorCode } from './error.ts';

/** What the strict parser gives: objects have no prototype, so `__proto__` is an ordinary key. */
export type Json = string | number | boolean | null | Unread | readonly Json[] | { readonly [key: string]: Json };

/**
 * A value that is there but has no reading that everybody shares (lone surrogate, `-0`, a number that JavaScript
 * would print differently). It is kept for its place only and satisfies no permit.
 */
export class Unread {
  readonly why: JsonErrorCode;
  constructor(why: JsonErrorCode) {
    this.why = why;
    Object.freeze(this);
  }
}

export function isUnread(value: unknown): value is Unread {
  return value instanceof Unread;
}
