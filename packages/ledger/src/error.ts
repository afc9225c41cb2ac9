import { CordonError } from '@cordon/protocol';

/**
 * `ledger-full` `ledger-down` `ledger-too-large` `ledger-sequence` refuse one append: the caller denies.
 * `ledger-damaged` and `ledger-locked` refuse to open: the first waits for a person, the second for another process.
 */
export type LedgerErrorCode =
  | 'ledger-full'
  | 'ledger-down'
  | 'ledger-damaged'
  | 'ledger-locked'
  | 'ledger-too-large'
  | 'ledger-sequence'
  | 'ledger-option'
  | 'ledger-missing'
  | 'ledger-key'
  | 'ledger-note'
  | 'ledger-downgrade'
  | 'ledger-proof';

export function ledgerError(code: LedgerErrorCode, message: string, cause?: unknown): CordonError<LedgerErrorCode> {
  return new CordonError<LedgerErrorCode>(code, message, cause === undefined ? {} : { cause });
}
