import { canonicalOrigin } from '../canonical/origin.ts';
import { canonicalUrl } from '../canonical/url.ts';
import { type CanonicalResult, notCanonical, onlyCanonical } from './type.ts';

/** Apart from the case of the host, the usual port and an empty path, only the canonical spelling passes. */
export function canonicalPlace(text: string): CanonicalResult {
  const url = canonicalUrl(text);
  if (!url.ok) return notCanonical(url.message, url.mend);
  return onlyCanonical(text, url.url, withUsualForm(text));
}

export function canonicalOriginValue(text: string): CanonicalResult {
  const origin = canonicalOrigin(text.endsWith('/') ? text.slice(0, -1) : text);
  if (!origin.ok) return notCanonical(origin.message, origin.mend);
  return { ok: true, value: origin.origin };
}

function withUsualForm(text: string): string {
  const match = /^([a-z]+):\/\/([^/?#]*)(.*)$/is.exec(text);
  if (match === null) return text;
  const [, scheme = '', authority = '', rest = ''] = match;
  const lower = scheme.toLowerCase();
  const host = authority.toLowerCase().replace(lower === 'http' ? /:80$/ : /:443$/, '');
  return `${lower}://${host}${rest.startsWith('/') ? '' : '/'}${rest}`;
}

/** Below some root: what `openat2(RESOLVE_BENEATH)` would walk without leaving it, spelled in one way. */
export function canonicalFilePath(text: string): CanonicalResult {
  if (text === '' || text.includes('\0') || text.includes('\\') || !text.isWellFormed()) {
    return notCanonical('a path has no NUL and no backslash, and is not empty');
  }
  const parts = text.split('/').filter((part, at) => part !== '.' && (part !== '' || at === 0));
  if (parts.includes('..')) return notCanonical('a path does not leave its root: no `..`');
  return onlyCanonical(text, parts.join('/') === '' ? '/' : parts.join('/'));
}
