import type { HttpArgs, Intent } from '@cordon/protocol';
import { canonicalOrigin, canonicalTunnel } from '../canonical/origin.ts';
import { canonicalPath } from '../canonical/path.ts';
import { originTarget, tunnelTarget } from './target.ts';

/**
 * The text of `--allow` that permits exactly this request's origin, path and method, this WebSocket or this tunnel, and
 * nothing broader.
 * Null for what `--allow` cannot say (other actions, a literal `*`, an escaped slash) and for a path with a quote:
 * the agent chooses the path, and a person may paste this into a shell.
 */
export function suggestGrant(intent: Intent): string | null {
  if (intent.action === 'http.tunnel') {
    const tunnel = canonicalTunnel(intent.resource);
    return tunnel.ok ? tunnelTarget(tunnel) : null;
  }
  const socket = intent.action === 'http.upgrade' || intent.action === 'http.message';
  if (intent.action !== 'http.request' && !socket) return null;
  const { method, path } = intent.args as Partial<HttpArgs>;
  const origin = canonicalOrigin(intent.resource);
  if (!origin.ok || typeof path !== 'string' || typeof method !== 'string') return null;
  const canonical = canonicalPath(path);
  if (!canonical.ok || canonical.path !== path || /[*']/.test(path) || !/^[A-Z]{1,32}$/.test(method)) return null;
  if (socket) {
    if (path.includes(':')) return null;
    const target = originTarget(origin);
    return origin.scheme === 'https' ? `wss://${target}${path}` : `${target.replace(/^http:/, 'ws:')}${path}`;
  }
  // Without methods a grant is for GET and HEAD; behind a colon in the path the methods must be said.
  const suffix = method === 'GET' && !path.includes(':') ? '' : `:${method}`;
  return `${originTarget(origin)}${path}${suffix}`;
}
