import { storeError } from './error.ts';
import { limits } from './limits.ts';

export interface Page<T> {
  readonly items: readonly T[];
  /** Pass it as `cursor` for what follows; null when nothing follows yet. */
  readonly next: string | null;
}

export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export function pageLimit(request: PageRequest): number {
  return Math.max(1, Math.min(request.limit ?? limits.pageRowsMax / 10, limits.pageRowsMax));
}

/** Cursors are the position of the last row seen; null when there is none. @throws CordonError `store-cursor` */
export function parseCursor(cursor: string | undefined): number | null {
  if (cursor === undefined || cursor === '') return null;
  const position = /^[0-9]{1,15}$/.test(cursor) ? Number(cursor) : Number.NaN;
  if (!Number.isSafeInteger(position)) throw storeError('store-cursor', 'this is no cursor of a page');
  return position;
}

/** `rows` holds one row more than the page when something follows. */
export function toPage<T extends { readonly cursor: string }>(rows: readonly T[], limit: number): Page<T> {
  const items = rows.slice(0, limit);
  return { items, next: rows.length > limit ? (items.at(-1)?.cursor ?? null) : null };
}
