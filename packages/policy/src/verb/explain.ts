import type { Intent } from '@cordon/protocol';
import { authorize } from '../decide/authorize.ts';
import type { Decision } from '../decide/decision.ts';
import { createRequest } from '../decide/request.ts';
import { createSlice } from '../decide/slice.ts';
import { type ApprovalFacts, type Facts, noApproval } from '../fact/facts.ts';
import type { CompiledLayer } from '../gate/compiled.ts';
import type { PolicySnapshot } from '../snapshot.ts';

export interface LayerExplanation {
  readonly layer: string;
  /** Ids of this layer's permits that apply, whatever else forbids. */
  readonly permits: readonly string[];
  readonly forbids: readonly string[];
}

export interface PolicyExplanation {
  readonly decision: Decision;
  readonly layers: readonly LayerExplanation[];
  /** Cedar text of every policy named above. */
  readonly policies: Readonly<Record<string, string>>;
}

/** Beside the decision what each layer says by itself; Cedar names only the forbids once there is one. */
export function explain(
  snapshot: PolicySnapshot,
  intent: Intent,
  facts: Facts,
  approval: ApprovalFacts = noApproval,
): PolicyExplanation {
  const decision = authorize(snapshot, snapshot.principal, intent, facts, approval);
  const slice = createSlice(snapshot.principal, intent.action, intent.resource, facts);
  const request = slice === null ? null : (createRequest(intent, facts, approval, slice)?.text() ?? null);
  const layers = snapshot.layers.map((layer) => ({
    layer: layer.name,
    permits: request === null ? [] : applying(snapshot, layer, 'permit', request),
    forbids: request === null ? [] : applying(snapshot, layer, 'forbid', request),
  }));
  const named = layers.flatMap(({ permits, forbids }) => [...permits, ...forbids]);
  const policies = Object.fromEntries(named.map((id) => [id, snapshot.policies.get(id)?.text ?? '']));
  return { decision, layers, policies };
}

function applying(
  snapshot: PolicySnapshot,
  layer: CompiledLayer,
  effect: 'permit' | 'forbid',
  request: string,
): readonly string[] {
  const texts = Object.fromEntries(
    layer.policies.filter((policy) => policy.effect === effect).map(({ id, text }) => [id, text]),
  );
  const evaluation = snapshot.engine.evaluateOnce(texts, request);
  return evaluation.ok ? evaluation.reasons : [];
}
