import type { HttpArgs, Intent } from '@cordon/protocol';
import { canonicalOrigin } from '../canonical/origin.ts';
import { canonicalPath } from '../canonical/path.ts';
import { originTarget } from './target.ts';

/**
 * The text of `--allow` that permits exactly this request's origin, path and method, and nothing broader.
 * Null for what `--allow` cannot say (other actions, a literal `*`, an escaped slash) and for a path with a quote:
 * the agent chooses the path, and a person may paste this into a shell.
 */
export function suggestGrant(intent: Intent): string | null {
  if (intent.action !== 'http.request') return null;
  const { method, path } = intent.args as Partial<HttpArgs>;
  const origin = canonicalOrigin(intent.resource);
  if (!origin.ok || typeof path !== 'string' || typeof method !== 'string') return null;
  const canonical = canonicalPath(path);
  if (!canonical.ok || canonical.path !== path || /[*']/.test(path) || !/^[A-Z]{1,32}$/.test(method)) return null;
  // Without methods a grant is for GET and HEAD; behind a colon in the path the methods must be said.
  const suffix = method === 'GET' && !path.includes(':') ? '' : `:${method}`;
  return `${originTarget(origin)}${path}${suffix}`;
}
