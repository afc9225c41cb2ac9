import { CordonError } from '@cordon/protocol';

export type StoreErrorCode =
  /** Another process has this state open. */
  | 'store-locked'
  /** What is to be made exists, or has changed since the caller read it. */
  | 'store-conflict'
  | 'store-missing'
  /** A policy generation that is not higher than the highest ever. */
  | 'store-rollback'
  | 'store-damaged'
  /** The disk is full, read-only or failing: what was asked for is not kept, and nothing of it is half done. */
  | 'store-unwritable'
  /** Written by a later version of Cordon. */
  | 'store-version'
  /** A file of ours that others could read or have written. */
  | 'store-permission'
  | 'store-cursor';

export function storeError(code: StoreErrorCode, message: string, cause?: unknown): CordonError<StoreErrorCode> {
  return new CordonError<StoreErrorCode>(code, message, cause === undefined ? {} : { cause });
}

/** The operating system's code of a failed file operation, if that is what it is. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
