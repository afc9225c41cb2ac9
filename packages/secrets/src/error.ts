import { CordonError } from '@cordon/protocol';

/** Faults. A secret that may not be used where it stands is a `SecretRefusal`, which is a value. */
export type SecretErrorCode =
  | 'secret-disposed'
  | 'secret-name-invalid'
  | 'secret-too-short'
  | 'secret-too-long'
  | 'secret-value-invalid'
  | 'secrets-full'
  | 'store-malformed'
  | 'store-unsealable'
  | 'lease-mismatch'
  | 'inject-mismatch';

/** No message of this package ever holds a value. */
export function secretError(code: SecretErrorCode, message: string, cause?: unknown): CordonError<SecretErrorCode> {
  return new CordonError(code, message, { cause, expose: true });
}
