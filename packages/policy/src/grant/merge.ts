import type { LayerSource } from '@cordon/protocol';
import { type PolicyProblem, problem } from '../gate/problem.ts';

export type MergeResult =
  | { readonly ok: true; readonly layer: LayerSource }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

/** One layer from several sources. Two policies of one id are refused: one of them, perhaps a deny, would be lost. */
export function mergeLayer(name: LayerSource['name'], parts: readonly Readonly<Record<string, string>>[]): MergeResult {
  const policies: Record<string, string> = {};
  const problems: PolicyProblem[] = [];
  for (const [id, text] of parts.flatMap((part) => Object.entries(part))) {
    if (Object.hasOwn(policies, id)) problems.push(problem(id, 'id-duplicate', `${id} is there twice`));
    policies[id] = text;
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, layer: { name, policies } };
}
