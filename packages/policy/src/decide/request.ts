import type { HttpArgs, Intent } from '@cordon/protocol';
import { canonicalOrigin, canonicalTunnel } from '../canonical/origin.ts';
import { canonicalPath, route } from '../canonical/path.ts';
import type { ApprovalFacts, Facts } from '../fact/facts.ts';
import { commonFields } from '../fact/field.ts';
import { namespace } from '../fact/schema.ts';
import { type Slice, uidOf } from './slice.ts';

/** The members of Cedar's call that speak of the request; null when the intent has no canonical reading. */
export function encodeRequest(intent: Intent, facts: Facts, approval: ApprovalFacts, slice: Slice): string | null {
  const own = ownContext(intent);
  if (own === null) return null;
  const context = { ...own, ...commonContext(facts), approval: { quorum: approval.quorum, strong: approval.strong } };
  const action = { type: `${namespace}::Action`, id: intent.action };
  // Cedar gets these very bytes and the memo hashes them, so members stand in a fixed order.
  return [
    `"principal":${slice.json.principal}`,
    `"action":${JSON.stringify(action)}`,
    `"resource":${slice.json.resource}`,
    `"context":${JSON.stringify(context)}`,
    `"entities":${slice.json.entities}`,
  ].join(',');
}

function commonContext(facts: Facts): Record<string, unknown> {
  const context: Record<string, unknown> = {};
  for (const name of Object.keys(commonFields) as (keyof typeof commonFields)[]) context[name] = facts[name];
  const { flow } = facts;
  return {
    ...context,
    effect: { __entity: { type: `${namespace}::Effect`, id: facts.effect } },
    checks: facts.checks,
    args: { __entity: uidOf('Args', '') },
    nums: { __entity: uidOf('Nums', '') },
    flow,
  };
}

/** What the action itself adds: for http its method, where it goes and what it carries. */
function ownContext(intent: Intent): Record<string, unknown> | null {
  switch (intent.action) {
    case 'http.request':
    case 'http.upgrade':
    case 'http.message':
      return httpContext(intent);
    case 'http.tunnel':
      return tunnelContext(intent);
    case 'model.generate':
    case 'model.list':
    case 'toolcall.invoke':
    case 'mcp.call':
    case 'mcp.read':
    case 'mcp.prompt':
    case 'mcp.list':
    case 'peer.call':
    case 'peer.accept':
    case 'session.spawn':
    case 'process.exec':
    case 'file.open':
    case 'file.apply':
    case 'tunnel.open':
    case 'tunnel.accept':
      return {};
  }
}

function tunnelContext({ resource }: Intent): Record<string, unknown> | null {
  const tunnel = canonicalTunnel(resource);
  return tunnel.ok ? { tunnel: { scheme: tunnel.scheme, port: tunnel.port } } : null;
}

function httpContext(intent: Intent): Record<string, unknown> | null {
  const { method, path } = intent.args as Partial<HttpArgs>;
  const origin = canonicalOrigin(intent.resource);
  if (typeof path !== 'string' || typeof method !== 'string' || !/^[A-Z]{1,32}$/.test(method) || !origin.ok)
    return null;
  // INVARIANT: what is judged is what is forwarded; a path with another canonical form would be two things.
  const canonical = canonicalPath(path, { encodedSlash: true });
  if (!canonical.ok || canonical.path !== path) return null;
  const { kind, bytes } = intent.payload;
  const { scheme, port } = origin;
  return { http: { method, scheme, port, route: route(path), body: kind, bytes } };
}
