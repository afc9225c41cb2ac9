import type { CriticalType } from '@cordon/protocol';
import { type Refusal, refuse } from '../error.ts';

const types: Readonly<Record<CriticalType, true>> = {
  url: true,
  origin: true,
  email: true,
  path: true,
  argv: true,
  money: true,
  iban: true,
  phone: true,
  id: true,
};

export const criticalTypes = Object.keys(types) as readonly CriticalType[];

/** One canonical form. `number` where it can be compared with. */
export interface CanonicalValue {
  readonly ok: true;
  readonly value: string;
  readonly number?: number;
}

export type CanonicalResult = CanonicalValue | Refusal<'critical-not-canonical'>;

/** `mend`: the canonical form, where there is one. */
export function notCanonical(message: string, mend: string | null = null): Refusal<'critical-not-canonical'> {
  return refuse('critical-not-canonical', message, mend);
}

/**
 * A value inside a body cannot be rewritten, so what is not already canonical is refused: the performer reads what the
 * judge read. `same` are spellings that every reader takes for the canonical one.
 */
export function onlyCanonical(given: string, canonical: string, same: string = given): CanonicalResult {
  return same === canonical
    ? { ok: true, value: canonical }
    : notCanonical('the value has another canonical form', canonical);
}
