import { compileLayer, type Engine, mergeLayer, type PolicySnapshot } from '@cordon/policy';
import type { LayerSource, TenantPolicy } from '@cordon/protocol';
import { cordonFile } from '../config/cordon-file.ts';
import { type FileProblem, readYaml } from '../config/document.ts';
import { compileEntries } from '../config/grants.ts';
import { refusal } from '../error.ts';
import { describeProblem } from '../profile/load.ts';
import { compileTenant, openTenantLayers, type SourceFile, toTenantPolicy } from './compile.ts';
import { openSession, proveLayer, runCases, snapshotOf } from './gate.ts';
import { asTenantFile, isTestFile } from './sources.ts';

export interface CheckAnswer {
  readonly ok: boolean;
  readonly problems: readonly FileProblem[];
  readonly policies: number;
}

/**
 * The load gate for files that are not in force: Cedar and YAML with `default:` as the tenant's, other YAML as a
 * `cordon.yaml`. What this accepts, a start or an activation accepts.
 */
export async function checkFiles(engine: Engine, files: readonly SourceFile[]): Promise<CheckAnswer> {
  const problems: FileProblem[] = [];
  let policies = 0;
  const own = files.filter(isTenantFile).map(asTenantFile);
  const compiled = compileTenant(engine, own);
  if (compiled.ok) {
    policies += compiled.policies;
    problems.push(...(await proveTenant(engine, toTenantPolicy('local', 1, compiled.layers), own)));
  } else problems.push(...compiled.problems);
  for (const file of files.filter((other) => !isTenantFile(other) && !isTestFile(other))) {
    const session = compileSessionFile(file);
    if (session.ok) {
      policies += Object.keys(session.policies).length;
      const layer: LayerSource = { name: 'session', policies: session.policies };
      const gate = checkSession(engine, layer);
      problems.push(...(gate.length > 0 ? gate : await proveSession(engine, layer, [file])));
    } else {
      problems.push(...session.problems);
    }
  }
  return { ok: problems.length === 0, problems, policies };
}

/** The finite part of the gate for a tenant's layer that has passed the rest. */
export async function proveTenant(
  engine: Engine,
  policy: TenantPolicy,
  files: readonly SourceFile[],
): Promise<readonly FileProblem[]> {
  const made = snapshotOf(engine, policy);
  return made.ok ? await proveLayer(made.snapshot, 'tenant', files) : made.problems;
}

async function proveSession(
  engine: Engine,
  layer: LayerSource,
  files: readonly SourceFile[],
): Promise<readonly FileProblem[]> {
  const made = snapshotOf(engine, toTenantPolicy('local', 1, openTenantLayers()), layer);
  return made.ok ? await proveLayer(made.snapshot, 'session', files) : made.problems;
}

/** The load gate of a session's own layer. */
export function checkSession(engine: Engine, layer: LayerSource): readonly FileProblem[] {
  // An engine that trapped on an earlier file is replaced before it judges this one.
  if (!engine.usable) engine.renew();
  const gate = compileLayer(engine, layer);
  return gate.ok ? [] : gate.problems;
}

function isTenantFile(file: SourceFile): boolean {
  return file.name.endsWith('.cedar') || file.name.startsWith('grants/') || /^default:/m.test(file.text);
}

type SessionFile =
  | { ok: true; policies: Readonly<Record<string, string>> }
  | { ok: false; problems: readonly FileProblem[] };

function compileSessionFile(file: SourceFile): SessionFile {
  const read = readYaml(file.name, file.text, cordonFile);
  if (!read.ok) return read;
  const compiled = compileEntries({ layer: 'session', source: file.name, ...read.value, lineOf: read.lineOf });
  return compiled.ok ? { ok: true, policies: compiled.compiled.policies } : compiled;
}

export interface TestAnswer {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly { file: string; name: string; ok: boolean; expected: string; got: string }[];
}

/** Runs cases against the candidate files together with the shipped ceiling. @throws CordonError `policy-invalid` */
export function testFiles(engine: Engine, files: readonly SourceFile[], tests: readonly SourceFile[]): TestAnswer {
  const snapshot = candidate(engine, files);
  const cases = runCases(snapshot, tests, invalid);
  const passed = cases.filter((result) => result.ok).length;
  return { passed, failed: cases.length - passed, cases };
}

function candidate(engine: Engine, files: readonly SourceFile[]): PolicySnapshot {
  const compiled = compileTenant(engine, files.filter(isTenantFile).map(asTenantFile));
  if (!compiled.ok) throw invalid(compiled.problems);
  const parts = files
    .filter((file) => !isTenantFile(file))
    .map((file) => {
      const session = compileSessionFile(file);
      if (!session.ok) throw invalid(session.problems);
      return session.policies;
    });
  // With tenant files alone the session's layer permits all, so that the cases speak about the tenant's layer.
  if (parts.length === 0) parts.push(openSession.policies);
  const merged = mergeLayer('session', parts);
  if (!merged.ok) throw invalid(merged.problems);
  const made = snapshotOf(engine, toTenantPolicy('local', 1, compiled.layers), merged.layer);
  if (!made.ok) throw invalid(made.problems);
  return made.snapshot;
}

export function invalid(problems: readonly FileProblem[]) {
  const shown = problems.slice(0, 5).map(describeProblem).join('\n');
  const mends = problems.map((problem) => problem.mend).filter((mend) => mend !== null);
  return refusal('policy-invalid', shown, [...mends.slice(0, 3), 'cordon policy check FILE']);
}
