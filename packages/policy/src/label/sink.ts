import type { HttpArgs, Intent, SinkRule } from '@cordon/protocol';
import { canonicalOrigin } from '../canonical/origin.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import { rulesFor } from '../transport.ts';

/** A sink rule that speaks of one intent, and who wrote it. */
export interface Sink {
  readonly rule: SinkRule;
  /** Of the tenant's or a higher layer. */
  readonly byTenant: boolean;
  /** The host itself was chosen by the agent, below a domain that the grant names. */
  readonly wildcard: boolean;
}

/**
 * Every sink rule that covers the intent. INVARIANT: a rule covers no more than the permit of its grant, so nothing
 * that one grant says of labels speaks for another one's requests (`sink.test.ts` compares with Cedar).
 */
export function sinksOf(snapshot: PolicySnapshot, intent: Intent): readonly Sink[] {
  const found: Sink[] = [];
  for (const { sink: rule, trusted, origin } of rulesFor(snapshot, intent.resource)) {
    if (rule === undefined || !coversAction(rule, intent)) continue;
    if (rule.kind !== 'tunnel' && !coversPath(rule, segmentsOf(intent))) continue;
    found.push({ rule, byTenant: trusted, wildcard: origin.includes('://*.') });
  }
  return found;
}

/** Canonical path of an http intent, in segments. */
export function segmentsOf({ args }: Intent): readonly string[] {
  const { path } = args as Partial<HttpArgs>;
  return typeof path === 'string' ? path.slice(1).split('/') : [];
}

/** The host of an http or tunnel intent; null for others. */
export function hostOf({ resource }: Intent): string | null {
  const origin = canonicalOrigin(resource.replace(/^(tcp|tls):/, 'https:'));
  return origin.ok ? origin.host : null;
}

function coversAction({ kind, methods }: SinkRule, { action, args }: Intent): boolean {
  switch (action) {
    case 'http.request':
      if (kind !== 'request' && kind !== 'both') return false;
      return methods.length === 0 || methods.includes((args as Partial<HttpArgs>).method ?? '');
    case 'http.upgrade':
    case 'http.message':
      return kind === 'websocket' || kind === 'both';
    case 'http.tunnel':
      return kind === 'tunnel';
    default:
      return false;
  }
}

/** Of a rule, or of anything else that has a pattern of paths. */
export function coversPath({ path: { segments, below } }: Pick<SinkRule, 'path'>, actual: readonly string[]): boolean {
  if (below ? actual.length < segments.length : actual.length !== segments.length) return false;
  return segments.every((wanted, at) => wanted === null || wanted === actual[at]);
}

/** The first segments are literal: whoever wrote the pattern named what stands there. */
export function isWritten(segments: readonly (string | null)[], count: number): boolean {
  return segments.length >= count && segments.slice(0, count).every((segment) => segment !== null);
}
