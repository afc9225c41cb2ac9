import type { AddressClass } from './special-purpose.ts';

export type EgressRefusalCode =
  | 'host-not-canonical'
  | 'port-forbidden'
  | 'address-forbidden'
  | 'name-forbidden'
  | 'name-unresolved'
  | 'resolver-timeout'
  | 'resolver-busy';

/** A destination that will not be dialled, and why; a value, made to be shown to the agent and recorded. */
export interface EgressRefusal {
  readonly refused: true;
  readonly code: EgressRefusalCode;
  readonly status: 403 | 502 | 503 | 504;
  readonly detail: string;
  /** The class that was not allowed, where a class was the reason. */
  readonly addressClass: AddressClass | null;
  readonly nextSteps: readonly string[];
}

const statuses: Readonly<Record<EgressRefusalCode, EgressRefusal['status']>> = {
  'host-not-canonical': 403,
  'port-forbidden': 403,
  'address-forbidden': 403,
  'name-forbidden': 403,
  'name-unresolved': 502,
  'resolver-timeout': 504,
  'resolver-busy': 503,
};

export function refuse(
  code: EgressRefusalCode,
  detail: string,
  nextSteps: readonly string[] = [],
  addressClass: AddressClass | null = null,
): EgressRefusal {
  return { refused: true, code, status: statuses[code], detail, addressClass, nextSteps };
}
