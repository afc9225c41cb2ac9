import type { ActionName, HttpArgs, Intent } from '@cordon/protocol';
import { canonicalPath, route } from '../canonical/path.ts';
import type { SchemaView } from '../engine/view.ts';
import type { ApprovalFacts, Facts } from '../fact/facts.ts';
import { commonFields } from '../fact/field.ts';
import { namespace } from '../fact/schema.ts';
import { take } from '../gate/part.ts';
import { type Site, type Slice, uidOf } from './slice.ts';

/** One question to Cedar, not yet written down: most are known by a part of it. */
export interface CedarRequest {
  /** The members of Cedar's call that speak of the request, as JSON without the outer braces. */
  readonly text: () => string;
  /**
   * The context as JSON, as far as policies with this view can tell contexts apart; null: all of it.
   * INVARIANT: what is left out has its type already ({@link httpContext}, `checkFacts`), so Cedar's own check of the
   * request cannot tell two of them apart either.
   */
  readonly context: (view: SchemaView | null) => string;
}

/** Null when the intent has no canonical reading. */
export function createRequest(
  intent: Intent,
  facts: Facts,
  approval: ApprovalFacts,
  slice: Slice,
): CedarRequest | null {
  const own = ownContext(intent, slice);
  if (own === null) return null;
  const all = { ...own, ...commonContext(facts), approval: { quorum: approval.quorum, strong: approval.strong } };
  const context = (view: SchemaView | null): string => JSON.stringify(view === null ? all : take(all, view.part));
  return { text: () => `${headText(intent.action, slice, slice.json.entities)},"context":${context(null)}`, context };
}

/** Who, what and where. Members stand in a fixed order, so the same request is the same text. */
export function headText(action: ActionName, { json }: Slice, entities: string): string {
  const named = JSON.stringify({ type: `${namespace}::Action`, id: action });
  return `"principal":${json.principal},"action":${named},"resource":${json.resource},"entities":${entities}`;
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
function ownContext(intent: Intent, { site }: Slice): Record<string, unknown> | null {
  switch (intent.action) {
    case 'http.request':
    case 'http.upgrade':
    case 'http.message':
      return httpContext(intent, site);
    case 'http.tunnel':
      return site === null ? null : { tunnel: { scheme: site.scheme, port: site.port } };
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

function httpContext(intent: Intent, site: Site | null): Record<string, unknown> | null {
  const { method, path } = intent.args as Partial<HttpArgs>;
  if (typeof path !== 'string' || typeof method !== 'string' || !/^[A-Z]{1,32}$/.test(method) || site === null)
    return null;
  // INVARIANT: what is judged is what is forwarded; a path with another canonical form would be two things.
  const canonical = canonicalPath(path, { encodedSlash: true });
  if (!canonical.ok || canonical.path !== path) return null;
  const { kind, bytes } = intent.payload;
  // Where no policy reads them, Cedar may not be asked and so would not notice.
  if (typeof kind !== 'string' || !Number.isSafeInteger(bytes)) return null;
  const { scheme, port } = site;
  return { http: { method, scheme, port, route: route(path), body: kind, bytes } };
}
