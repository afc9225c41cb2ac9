import type { CordonError } from '@cordon/protocol';
import type { LedgerErrorCode } from '../error.ts';
import type { Journal } from './journal.ts';

/**
 * Stands for a journal that cannot be opened now (a full or read-only disk): everything is refused with the reason, so
 * that whoever would wait for it is told no instead (I3).
 */
export function journalThatIsDown(
  of: Pick<Journal, 'writer' | 'tenant'>,
  failure: CordonError<LedgerErrorCode>,
): Journal {
  const refuse = (): Promise<never> => Promise.reject(failure);
  return {
    ...of,
    failure,
    head: { wseq: 0, leaf: '' },
    recovery: null,
    append: refuse,
    appendTogether: refuse,
    sync: refuse,
    past: () => ({ seq: 0, decisions: 0, attempt: null, closed: [], label: null, leaked: 0 }),
    closeSession: () => undefined,
    onFailure: () => undefined,
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
