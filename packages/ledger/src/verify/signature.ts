import { isCordonError } from '@cordon/protocol';

/** What a head that does not open is called among findings; null for what has nothing to do with its signatures. */
export function signatureCodeOf(error: unknown): 'signature' | 'downgrade' | null {
  if (!isCordonError(error)) return null;
  return error.code === 'ledger-note' ? 'signature' : error.code === 'ledger-downgrade' ? 'downgrade' : null;
}
