import type { PolicyJson } from '../engine/answer.ts';
import type { Engine } from '../engine/engine.ts';
import type { CompiledPolicy } from '../gate/compiled.ts';
import { type Cuts, cutsOf } from './cut.ts';
import { type Literals, literalsOf } from './literal.ts';

/** A policy with what can be said about it without asking it. */
export interface ReadPolicy {
  readonly policy: CompiledPolicy;
  readonly layer: string;
  readonly json: PolicyJson;
  /** The axes that it reads. */
  readonly paths: { has(path: string): boolean };
  readonly cuts: Cuts;
  readonly literals: Literals;
}

/** @throws PolicyError `engine-failed`; the policies have passed the load gate, so they parse */
export function readPolicy(engine: Engine, layer: string, policy: CompiledPolicy): ReadPolicy | null {
  const answer = engine.toJson(policy.text);
  if (answer.type !== 'success') return null;
  const { reads } = policy;
  // A policy that names a whole record reads all of it.
  const has = (path: string): boolean =>
    reads === null || reads.some((read) => read === path || path.startsWith(`${read}.`) || read.startsWith(`${path}.`));
  return {
    policy,
    layer,
    json: answer.json,
    paths: { has },
    cuts: cutsOf(answer.json),
    literals: literalsOf(answer.json),
  };
}
