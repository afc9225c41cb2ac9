import type { Evaluation } from '../engine/answer.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import type { PolicySnapshot } from '../snapshot.ts';
import type { DenyCode } from './decision.ts';

/** What one evaluation means. Cedar's `allow` alone is not enough. */
export type Verdict =
  | { readonly kind: 'permitted'; readonly permits: readonly CompiledPolicy[] }
  | { readonly kind: 'refused'; readonly code: DenyCode; readonly reasons: readonly string[] };

export function verdictOf(snapshot: PolicySnapshot, evaluation: Evaluation): Verdict {
  if (!evaluation.ok) return refused('request-invalid', [`engine-${evaluation.why}`]);
  if (evaluation.failed.length > 0) return refused('policy-error', evaluation.failed);
  const deciding = evaluation.reasons.map((id) => snapshot.policies.get(id));
  if (deciding.some((policy) => policy === undefined)) return refused('policy-error', evaluation.reasons);
  const policies = deciding.filter((policy) => policy !== undefined);
  const lacking = snapshot.layers
    .map((layer) => layer.name)
    .filter((name) => !policies.some((policy) => policy.effect === 'permit' && policy.id.startsWith(`${name}/`)))
    .sort();
  if (evaluation.allowed) {
    // Permission is an intersection: each layer has to say yes by itself.
    return lacking.length > 0 ? refused('no-grant', lacking) : { kind: 'permitted', permits: policies };
  }
  const forbids = policies.filter((policy) => policy.effect === 'forbid');
  if (forbids.length === 0) return refused('no-grant', lacking);
  const code = forbids.find((policy) => policy.code !== null)?.code ?? null;
  return refused(coreCode(code), evaluation.reasons);
}

function refused(code: DenyCode, reasons: readonly string[]): Verdict {
  return { kind: 'refused', code, reasons };
}

const coreCodes: readonly DenyCode[] = [
  ...(['session-stopped', 'flow-R0', 'flow-R1', 'flow-R2', 'flow-R3', 'flow-R4', 'flow-R5', 'flow-R6'] as const),
  'flow-R8',
];

/** Codes that core rules may name; the load gate lets no other policy name one. */
function coreCode(code: string | null): DenyCode {
  return coreCodes.find((known) => known === code) ?? 'forbidden';
}
