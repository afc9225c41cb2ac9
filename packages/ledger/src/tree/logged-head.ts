import type { Entry, RecordValue } from '@cordon/protocol';
import { toLeafText } from '../leaf.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { LedgerTree } from './tree.ts';

/** Journal and tree of the host itself are called so; the dot keeps the name from being a tenant's. */
export const infrastructureName = 'infrastructure.host';

/** A tenant's head as the tree of the infrastructure has it on record: an entry of the type `head`. */
export interface LoggedHead {
  /** Origin of the tenant's log. */
  readonly log: string;
  readonly size: number;
  /** `sha256:` and hexadecimal. */
  readonly root: string;
}

/** Data of the entry. */
export function headData(of: Checkpoint | LedgerTree): { readonly [key: string]: RecordValue } {
  if ('head' in of) return { log: of.origin, size: of.head.size, root: of.head.root };
  return { log: of.origin, size: of.size, root: toLeafText(of.root) };
}

/** Null for an entry of another type, and for one that says no head. */
export function toLoggedHead({ type, data }: Entry): LoggedHead | null {
  const { log, size, root } = data;
  if (type !== 'head' || typeof log !== 'string' || typeof root !== 'string') return null;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? { log, size, root } : null;
}
