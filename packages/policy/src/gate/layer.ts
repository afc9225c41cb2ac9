import { hash } from 'node:crypto';
import type { LayerSource } from '@cordon/protocol';
import { isCordonError } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import type { JsonAnswer } from '../engine/answer.ts';
import type { Engine } from '../engine/engine.ts';
import { limits } from '../limits.ts';
import { readAnnotations } from './annotation.ts';
import type { CompiledLayer, CompiledPolicy } from './compiled.ts';
import { checkExpressions } from './expression.ts';
import { fromEngine, type PolicyProblem, problem } from './problem.ts';
import { reachOf } from './reach.ts';
import { contextReads } from './reads.ts';
import { sightsOf } from './sights.ts';

/** Names of the pure predicates that the bundle defines; none exist yet, so none may be asked for. */
export interface Known {
  readonly checks: ReadonlySet<string>;
}
export const nothingKnown: Known = { checks: new Set() };

export type LayerResult =
  | { readonly ok: true; readonly layer: CompiledLayer }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

const idPattern = /^[a-z]+(\/[A-Za-z0-9._:@+-]+){1,4}$/;

/** The load gate for one layer. What passed is kept in the engine by its digest, and shared by all who have it. */
export function compileLayer(engine: Engine, source: LayerSource, known: Known = nothingKnown): LayerResult {
  const digest = digestRecord('layer', { v: 'layer/1', name: source.name, policies: source.policies });
  const key = `${digest} ${[...known.checks].sort().join(',')}`;
  const held = engine.layers.get(key);
  if (held !== undefined) return { ok: true, layer: held };
  try {
    const problems: PolicyProblem[] = [];
    const policies = compilePolicies(engine, source, known, (found) => problems.push(found));
    if (problems.length > 0) return { ok: false, problems };
    const layer: CompiledLayer = { name: source.name, digest, policies };
    engine.layers.set(key, layer);
    return { ok: true, layer };
  } catch (error) {
    if (!isCordonError(error) || error.code !== 'engine-failed') throw error;
    return { ok: false, problems: [problem(source.name, 'engine-failed', 'the policy engine failed on this layer')] };
  }
}

function compilePolicies(
  engine: Engine,
  source: LayerSource,
  known: Known,
  report: (problem: PolicyProblem) => void,
): CompiledPolicy[] {
  const entries = Object.entries(source.policies).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length > limits.policiesMax) {
    report(problem(source.name, 'too-many', `a layer has at most ${limits.policiesMax} policies`));
    return [];
  }
  const compiled: CompiledPolicy[] = [];
  for (const [id, text] of entries) {
    const policy = compilePolicy(engine, source.name, id, text, known, report);
    if (policy !== null) compiled.push(policy);
  }
  validate(engine, compiled, report);
  return compiled;
}

function compilePolicy(
  engine: Engine,
  layer: LayerSource['name'],
  id: string,
  text: string,
  known: Known,
  report: (problem: PolicyProblem) => void,
): CompiledPolicy | null {
  if (!idPattern.test(id) || !id.startsWith(`${layer}/`)) {
    report(problem(id, 'id-invalid', `the id of a policy of this layer is ${layer}/NAME`));
    return null;
  }
  if (text.length > limits.policyCharsMax || !text.isWellFormed()) {
    report(problem(id, 'policy-too-long', `a policy is text of at most ${limits.policyCharsMax} characters`));
    return null;
  }
  const parsed = toJson(engine, id, text, report);
  if (parsed === null) return null;
  if (parsed.type !== 'success') {
    for (const error of parsed.errors) report(fromEngine(id, text, 'syntax', error));
    return null;
  }
  const { effect, annotations = {} } = parsed.json;
  const read = readAnnotations(id, effect, annotations, report);
  checkExpressions(parsed.json, known.checks, (code, message) => report(problem(id, code, message)));
  const { action, resource } = parsed.json;
  return {
    id,
    effect,
    text,
    digest: hash('sha256', text, 'base64'),
    ...read,
    reads: contextReads(parsed.json),
    sights: sightsOf(parsed.json),
    scope: { action, resource },
    reach: reachOf(parsed.json),
  };
}

/** A text can break the engine (a thousand brackets overflow its stack); it is then named, and others are judged on. */
function toJson(engine: Engine, id: string, text: string, report: (problem: PolicyProblem) => void): JsonAnswer | null {
  try {
    return engine.toJson(text);
  } catch (error) {
    if (!isCordonError(error) || error.code !== 'engine-failed') throw error;
    report(problem(id, 'engine-failed', 'the policy engine failed on this policy', 'nest it less deeply'));
    return null;
  }
}

/** Strict, and a warning is an error: it says that a policy can never apply, or looks like another than it is. */
function validate(engine: Engine, policies: readonly CompiledPolicy[], report: (problem: PolicyProblem) => void): void {
  const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  const answer = engine.validate(texts);
  if (answer.type !== 'success') {
    for (const error of answer.errors) report(fromEngine('', '', 'validation', error));
    return;
  }
  // One mistake is found once per action that it could apply to, in no fixed order; a person needs it once.
  const found = [...answer.validationErrors, ...answer.validationWarnings].sort((a, b) =>
    a.error.message < b.error.message ? -1 : 1,
  );
  const told = new Set<string>();
  for (const { policyId, error } of found) {
    const place = `${policyId} ${error.sourceLocations?.[0]?.start ?? ''}`;
    if (!told.has(place)) report(fromEngine(policyId, texts[policyId] ?? '', 'validation', error));
    told.add(place);
  }
  for (const error of answer.otherWarnings) report(fromEngine('', '', 'validation', error));
}
