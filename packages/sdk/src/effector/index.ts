export type { PermitClaims } from '@cordon/protocol';
export { type PermitKeyErrorCode, PermitKeys } from './keys.ts';
export type { PermitMark, Standing, Taken, UsedPermits } from './used.ts';
export {
  type EffectorOptions,
  type EffectorRequest,
  headerPairs,
  type PermitRefusalCode,
  type Verification,
  type VerifiedPermit,
  verifyPermit,
} from './verify.ts';
