import {
  compileLayer,
  createSnapshot,
  type Engine,
  mergeLayer,
  type PolicySnapshot,
  type PolicyTestCase,
  runPolicyTests,
} from '@cordon/policy';
import type { LayerSource, SessionPolicy } from '@cordon/protocol';
import { z } from 'zod';
import { cordonFile, emptyCordonFile } from '../config/cordon-file.ts';
import { type FileProblem, readYaml } from '../config/document.ts';
import { compileEntries } from '../config/grants.ts';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import { describeProblem } from '../profile/load.ts';
import { compileTenant, type SourceFile, toTenantPolicy } from './compile.ts';

export interface CheckAnswer {
  readonly ok: boolean;
  readonly problems: readonly FileProblem[];
  readonly policies: number;
}

/**
 * The load gate for files that are not in force: Cedar and YAML with `default:` as the tenant's, other YAML as a
 * `cordon.yaml`. What this accepts, a start or an activation accepts.
 */
export function checkFiles(engine: Engine, files: readonly SourceFile[]): CheckAnswer {
  const problems: FileProblem[] = [];
  let policies = 0;
  const compiled = compileTenant(engine, files.filter(isTenantFile));
  if (compiled.ok) policies += compiled.policies;
  else problems.push(...compiled.problems);
  for (const file of files.filter((other) => !isTenantFile(other))) {
    const session = compileSessionFile(file);
    if (session.ok) {
      policies += Object.keys(session.policies).length;
      problems.push(...checkSession(engine, { name: 'session', policies: session.policies }));
    } else {
      problems.push(...session.problems);
    }
  }
  return { ok: problems.length === 0, problems, policies };
}

/** The load gate of a session's own layer. */
export function checkSession(engine: Engine, layer: LayerSource): readonly FileProblem[] {
  // An engine that trapped on an earlier file is replaced before it judges this one.
  if (!engine.usable) engine.renew();
  const gate = compileLayer(engine, layer);
  return gate.ok ? [] : gate.problems;
}

function isTenantFile(file: SourceFile): boolean {
  return file.name.endsWith('.cedar') || /^default:/m.test(file.text);
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

const caseFile = z.strictObject({
  tests: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        intent: z.strictObject({
          action: z.string().max(64).optional(),
          resource: z.string().max(2048),
          method: z.string().max(32).optional(),
          path: z.string().max(4096).optional(),
          bytes: z.number().int().min(0).optional(),
          body: z.enum(['none', 'json', 'form', 'text', 'opaque']).optional(),
        }),
        facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
        outcome: z.enum(['allow', 'deny', 'hold']),
        code: z.string().max(64).optional(),
      }),
    )
    .min(1)
    .max(limits.policyTestCasesMax),
});

export interface TestAnswer {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly { file: string; name: string; ok: boolean; expected: string; got: string }[];
}

/** Runs cases against the candidate files together with the shipped ceiling. @throws CordonError `policy-invalid` */
export function testFiles(engine: Engine, files: readonly SourceFile[], tests: readonly SourceFile[]): TestAnswer {
  const snapshot = candidate(engine, files);
  const cases = tests.flatMap((file) => {
    const read = readYaml(file.name, file.text, caseFile);
    if (!read.ok) throw invalid(read.problems);
    const results = runPolicyTests(snapshot, read.value.tests as PolicyTestCase[]);
    return results.map(({ name, ok, expected, got }) => ({ file: file.name, name, ok, expected, got }));
  });
  const passed = cases.filter((result) => result.ok).length;
  return { passed, failed: cases.length - passed, cases };
}

function candidate(engine: Engine, files: readonly SourceFile[]): PolicySnapshot {
  const compiled = compileTenant(engine, files.filter(isTenantFile));
  if (!compiled.ok) throw invalid(compiled.problems);
  const parts = files
    .filter((file) => !isTenantFile(file))
    .map((file) => {
      const session = compileSessionFile(file);
      if (!session.ok) throw invalid(session.problems);
      return session.policies;
    });
  // With tenant files alone the session's layer permits all, so that the cases speak about the tenant's layer.
  if (parts.length === 0) parts.push({ 'session/test/open': 'permit (principal, action, resource);' });
  const merged = mergeLayer('session', parts);
  if (!merged.ok) throw invalid(merged.problems);
  const made = createSnapshot(engine, toTenantPolicy('local', 1, compiled.layers), testSession(merged.layer));
  if (!made.ok) throw invalid(made.problems);
  return made.snapshot;
}

function testSession(layer: LayerSource): SessionPolicy {
  return {
    tenant: 'local',
    session: 'ses_00000000000000000000000000',
    agent: 'test',
    person: 'test',
    chain: `sha256:${'0'.repeat(64)}`,
    salt: '0'.repeat(32),
    revision: 1,
    layer,
    origins: [],
    secrets: [],
    stopped: false,
    startedAt: '1970-01-01T00:00:00.000Z',
    profile: emptyCordonFile.profile ?? 'generic',
  };
}

export function invalid(problems: readonly FileProblem[]) {
  const shown = problems.slice(0, 5).map(describeProblem).join('\n');
  const mends = problems.map((problem) => problem.mend).filter((mend) => mend !== null);
  return refusal('policy-invalid', shown, [...mends.slice(0, 3), 'cordon policy check FILE']);
}
