import type { HttpArgs, Intent } from '@cordon/protocol';
import { canonicalOrigin } from '../canonical/origin.ts';
import { canonicalPath } from '../canonical/path.ts';
import { escapeStars } from './path-pattern.ts';
import { originTarget } from './target.ts';

/** What a grant in a file says to permit exactly one request. */
export interface ExactGrant {
  /** `[http://]HOST[:PORT]/PATH`, every character of the path itself: a star in it is escaped. */
  readonly allow: string;
  readonly method: string;
  /** The path holds `%2F`. */
  readonly encodedSlash: boolean;
}

/** Null for what is no `http.request` in canonical form; other actions have {@link suggestGrant}. */
export function exactGrant(intent: Intent): ExactGrant | null {
  if (intent.action !== 'http.request') return null;
  const { method, path } = intent.args as Partial<HttpArgs>;
  const origin = canonicalOrigin(intent.resource);
  if (!origin.ok || typeof path !== 'string' || typeof method !== 'string') return null;
  const encodedSlash = path.includes('%2F');
  const canonical = canonicalPath(path, { encodedSlash });
  if (!canonical.ok || canonical.path !== path) return null;
  return { allow: `${originTarget(origin)}${escapeStars(path)}`, method, encodedSlash };
}
