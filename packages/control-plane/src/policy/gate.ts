import { setImmediate as pause } from 'node:timers/promises';
import {
  createSnapshot,
  type Engine,
  type PolicySnapshot,
  type PolicyTestCase,
  type PolicyTestResult,
  prove,
  readsOrdered,
  runPolicyTests,
} from '@cordon/policy';
import type { LayerSource, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import { z } from 'zod';
import { type FileProblem, readYaml } from '../config/document.ts';
import { limits } from '../limits.ts';
import type { SourceFile } from './compile.ts';

/** A session that permits everything, so that what is judged is the tenant's own layer. */
export const openSession: LayerSource = {
  name: 'session',
  policies: { 'session/test/open': 'permit (principal, action, resource);' },
};

export type MadeSnapshot =
  | { readonly ok: true; readonly snapshot: PolicySnapshot }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A candidate as it would judge, with a session of nobody's. */
export function snapshotOf(engine: Engine, policy: TenantPolicy, session: LayerSource = openSession): MadeSnapshot {
  return createSnapshot(engine, { ...policy, expires: null }, testSession(policy.tenant, session));
}

/** A generator's work, piece by piece, so that beats, stops and other requests are answered in between. */
export async function inPieces<Step, Result>(work: Generator<Step, Result>): Promise<Result> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

/**
 * The finite part of the load gate (validation.md §6.3) for one layer: nothing in it stands the wrong way round. What the
 * core forbids is proven once, where it is made; a layer below cannot lift it.
 */
export async function proveLayer(
  snapshot: PolicySnapshot,
  layer: string,
  files: readonly SourceFile[],
): Promise<FileProblem[]> {
  if (!readsOrdered(snapshot, layer)) return [];
  const proof = await inPieces(prove(snapshot, { properties: ['T1', 'T4', 'T6'], layers: [layer] }));
  const problems = proof.findings.map(({ property, why, example, policies }) => ({
    ...placeOf(policies[0] ?? layer, snapshot, files),
    code: 'property',
    message: `${property}: ${why}: ${example}`,
    mend: 'turn the comparison round, or use unless',
  }));
  if (proof.complete) return problems;
  const message = 'too large to be proven: it compares too many facts with each other';
  return [...problems, { file: layer, line: null, column: null, code: 'property', message, mend: 'split the policy' }];
}

/** Where a policy stands in its file; its id where that cannot be told. */
function placeOf(
  id: string,
  snapshot: PolicySnapshot,
  files: readonly SourceFile[],
): Pick<FileProblem, 'file' | 'line' | 'column'> {
  const policy = snapshot.policies.get(id);
  for (const { name, text } of files) {
    const at = policy === undefined ? -1 : text.indexOf(policy.text);
    if (at < 0) continue;
    const before = text.slice(0, at).split('\n');
    return { file: name, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
  const source = /^(.+):(\d+)$/.exec(policy?.source ?? '');
  return { file: source?.[1] ?? id, line: source === null ? null : Number(source[2]), column: null };
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
        facts: z
          .record(
            z.string(),
            z.union([z.string(), z.number(), z.boolean(), z.record(z.string(), z.union([z.number(), z.boolean()]))]),
          )
          .optional(),
        outcome: z.enum(['allow', 'deny', 'hold']),
        code: z.string().max(64).optional(),
        /** Of a hold: how many people it asks, and of which groups. */
        asks: z
          .strictObject({ people: z.number().int().min(1).max(16), from: z.array(z.string()).optional() })
          .optional(),
      }),
    )
    .min(1)
    .max(limits.policyTestCasesMax),
});

export type CaseResult = PolicyTestResult & { readonly file: string };

/** @throws what `wrong` makes of a file that is no file of cases */
export function runCases(
  snapshot: PolicySnapshot,
  tests: readonly SourceFile[],
  wrong: (problems: readonly FileProblem[]) => Error,
): CaseResult[] {
  return tests.flatMap((file) => {
    const read = readYaml(file.name, file.text, caseFile);
    if (!read.ok) throw wrong(read.problems);
    return runPolicyTests(snapshot, read.value.tests as PolicyTestCase[]).map((result) => ({
      file: file.name,
      ...result,
    }));
  });
}

function testSession(tenant: string, layer: LayerSource): SessionPolicy {
  return {
    tenant,
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
    profile: 'generic',
  };
}
