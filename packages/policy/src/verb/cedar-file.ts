import type { LayerSource } from '@cordon/protocol';
import { isCordonError } from '@cordon/protocol';
import type { Engine } from '../engine/engine.ts';
import { compileLayer } from '../gate/layer.ts';
import { fromEngine, type PolicyProblem, placeOf, problem } from '../gate/problem.ts';
import { limits } from '../limits.ts';
import { splitPolicies } from './split.ts';

export interface PolicyFile {
  readonly name: string;
  readonly text: string;
}

export interface CheckedFile {
  readonly problems: readonly PolicyProblem[];
  /** For {@link LayerSource}; empty when there are problems. */
  readonly policies: Readonly<Record<string, string>>;
}

/**
 * A `.cedar` file of several policies, through the whole load gate, with the line and column of each problem.
 * A policy is called `LAYER/FILE/NAME` after its `@id`, else after its number.
 */
export function checkPolicyText(engine: Engine, file: PolicyFile, layer: LayerSource['name']): CheckedFile {
  const bad = (problems: readonly PolicyProblem[]): CheckedFile => ({ problems, policies: {} });
  if (file.text.length > limits.policyFileCharsMax || !file.text.isWellFormed()) {
    return bad([
      problem(file.name, 'policy-too-long', `a policy file has at most ${limits.policyFileCharsMax} characters`),
    ]);
  }
  try {
    const whole = engine.split(file.text);
    if (whole.type !== 'success')
      return bad(whole.errors.map((error) => fromEngine(file.name, file.text, 'syntax', error)));
    const pieces = splitPolicies(file.text);
    const counted = whole.policies.length + whole.policy_templates.length;
    if (pieces.length !== counted) {
      return bad([problem(file.name, 'syntax', `${counted} policies were read where ${pieces.length} end`)]);
    }
    return compilePieces(engine, file, layer, pieces);
  } catch (error) {
    if (!isCordonError(error) || error.code !== 'engine-failed') throw error;
    return bad([problem(file.name, 'engine-failed', 'the policy engine failed on this file')]);
  }
}

interface Piece {
  readonly text: string;
  /** Offset in the file, in UTF-16 code units. */
  readonly start: number;
}

function compilePieces(
  engine: Engine,
  file: PolicyFile,
  layer: LayerSource['name'],
  pieces: readonly Piece[],
): CheckedFile {
  const problems: PolicyProblem[] = [];
  const policies: Record<string, string> = {};
  const starts = new Map<string, number>();
  for (const [index, piece] of pieces.entries()) {
    const id = `${layer}/${slug(file.name)}/${nameOf(engine, piece.text) ?? index + 1}`;
    if (starts.has(id))
      problems.push(at(file, piece.start, problem(file.name, 'id-duplicate', `${id} is there twice`)));
    starts.set(id, piece.start);
    policies[id] = piece.text;
  }
  const compiled = compileLayer(engine, { name: layer, policies });
  if (!compiled.ok) {
    problems.push(...compiled.problems.map((found) => at(file, starts.get(found.file) ?? 0, found)));
  }
  return problems.length > 0 ? { problems, policies: {} } : { problems, policies };
}

/** A place inside a policy, as a place in its file. */
function at(file: PolicyFile, start: number, found: PolicyProblem): PolicyProblem {
  const base = placeOf(file.text, Buffer.byteLength(file.text.slice(0, start)));
  const line = base.line + (found.line ?? 1) - 1;
  const column = (found.line ?? 1) === 1 ? base.column + (found.column ?? 1) - 1 : (found.column ?? 1);
  return { ...found, file: file.name, line, column };
}

function nameOf(engine: Engine, text: string): string | null {
  const parsed = engine.toJson(text);
  return parsed.type === 'success' ? (parsed.json.annotations?.['id'] ?? null) : null;
}

function slug(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1).replace(/\.cedar$/, '');
  return base.replaceAll(/[^A-Za-z0-9._:@+-]/g, '-') || 'policy';
}
