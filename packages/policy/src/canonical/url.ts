import { type Refusal, refuse } from '../error.ts';
import { limits } from '../limits.ts';
import type { CanonicalCode, HostKind } from './host.ts';
import { canonicalOrigin, type Scheme } from './origin.ts';
import { canonicalPath, type PathOptions } from './path.ts';

export interface CanonicalUrl {
  readonly ok: true;
  readonly url: string;
  readonly origin: string;
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
  readonly kind: HostKind;
  readonly path: string;
  /** Without the question mark, as it came; null when there is none. */
  readonly query: string | null;
}

const shape = /^(https?:\/\/[^/?#\\@]*)(\/[^?#]*)?(?:\?([\x21\x22\x24-\x7e]*))?$/i;

/**
 * Our own reading of an absolute URL: stricter than WHATWG's, and equal to it wherever both accept.
 * Userinfo, fragments, backslashes, spaces and control characters are refused.
 */
export function canonicalUrl(text: string, options: PathOptions = {}): CanonicalUrl | Refusal<CanonicalCode> {
  if (text.length > limits.urlCharsMax) {
    return refuse('url-not-canonical', `a URL has at most ${limits.urlCharsMax} characters`);
  }
  const match = shape.exec(text);
  if (match === null) {
    return refuse(
      'url-not-canonical',
      'a URL is an http or https origin, a path and a query, without userinfo or fragment',
    );
  }
  const origin = canonicalOrigin(match[1] ?? '');
  if (!origin.ok) return origin;
  const path = canonicalPath(match[2] ?? '/', options);
  if (!path.ok) return path;
  const query = match[3] ?? null;
  const usual = origin.port === (origin.scheme === 'http' ? 80 : 443);
  const shown = usual ? origin.origin.slice(0, origin.origin.lastIndexOf(':')) : origin.origin;
  return { ...origin, url: `${shown}${path.path}${query === null ? '' : `?${query}`}`, path: path.path, query };
}
