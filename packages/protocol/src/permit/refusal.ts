/** Why the signer signs nothing. */
export type PermitRefusal =
  | 'session-unknown'
  | 'session-stopped'
  | 'permit-rate'
  | 'permit-too-large'
  /** It has no key. */
  | 'signer-unavailable';
export const permitRefusals: readonly PermitRefusal[] = [
  'session-unknown',
  'session-stopped',
  'permit-rate',
  'permit-too-large',
  'signer-unavailable',
];
