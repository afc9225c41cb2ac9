import { createDecipheriv, type KeyObject } from 'node:crypto';
import type { Entry } from '@cordon/protocol';
import { contextOf, nonceBytes, tagBytes } from './seal.ts';

/** Opens what was sealed, as far as keys are there. */
export interface BodyKeys {
  /** `missing`: these are all keys there are, and it is not among them. `unknown`: nobody gave any. */
  find(key: string): KeyObject | 'missing' | 'unknown';
}

/** For who has no keys: bodies in clear can be read, others cannot. */
export const noKeys: BodyKeys = { find: () => 'unknown' };

export type OpenedBody =
  | { readonly kind: 'open'; readonly bytes: Buffer }
  /** Nobody can read it any more, or not here. */
  | { readonly kind: 'gone'; readonly why: string; readonly missing?: string }
  /** It is there, and is not what was sealed with this key for this entry. */
  | { readonly kind: 'wrong'; readonly why: string };

/** The body of an entry in clear. `stored` has been checked against the entry's digest. */
export function openBody(
  entry: Pick<Entry, 'tenant' | 'session' | 'seal'>,
  stored: { readonly kind: 'stored'; readonly bytes: Buffer } | Extract<OpenedBody, { kind: 'gone' }>,
  keys: BodyKeys,
): OpenedBody {
  if (stored.kind === 'gone') return stored;
  const { seal } = entry;
  if (seal === null) return { kind: 'gone', why: 'it has no body' };
  if (seal.key === 'none') return { kind: 'open', bytes: stored.bytes };
  const key = keys.find(seal.key);
  if (key === 'missing') return { kind: 'gone', why: 'its key is gone', missing: seal.key };
  if (key === 'unknown') return { kind: 'gone', why: 'the keys of bodies were not given' };
  const bytes = decipher(stored.bytes, key, contextOf(entry, seal.key));
  return bytes === null ? { kind: 'wrong', why: `the body does not open with ${seal.key}` } : { kind: 'open', bytes };
}

function decipher(stored: Buffer, key: KeyObject, context: Buffer): Buffer | null {
  const end = stored.length - tagBytes;
  if (end < nonceBytes) return null;
  const opener = createDecipheriv('aes-256-gcm', key, stored.subarray(0, nonceBytes), { authTagLength: tagBytes });
  opener.setAAD(context);
  opener.setAuthTag(stored.subarray(end));
  try {
    return Buffer.concat([opener.update(stored.subarray(nonceBytes, end)), opener.final()]);
  } catch {
    return null;
  }
}
