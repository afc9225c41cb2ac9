import { type Bundle, type Engine, openBundle } from '@cordon/policy';
import type { PolicyReference, TenantPolicy } from '@cordon/protocol';
import type { Store } from '@cordon/store';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import { invalid } from './check.ts';
import { compileTenant, type SourceFile, type TenantLayers, toTenantPolicy } from './compile.ts';
import { asTenantFile, filesOf, isPolicyFile, isTestFile } from './sources.ts';
import { scopeOf, type TenantPolicies } from './tenant.ts';

export interface CandidateParts {
  readonly engine: Engine;
  readonly store: Pick<Store, 'policies'>;
  readonly tenant: TenantPolicies;
}

/** A policy that somebody speaks of, compiled and through the load gate; not in force by that. */
export interface Candidate {
  /** In words, for reports. */
  readonly name: string;
  readonly policy: TenantPolicy;
  /** Null for what was compiled before. */
  readonly layers: TenantLayers | null;
  readonly files: readonly SourceFile[];
}

/** @throws CordonError `policy-invalid`, `bundle-invalid`, `not-found` */
export async function candidateOf(reference: PolicyReference, parts: CandidateParts): Promise<Candidate> {
  const { tenant } = parts;
  if ('current' in reference) {
    const { current } = tenant;
    return { name: `generation ${current.generation}`, policy: current, layers: null, files: [] };
  }
  if ('generation' in reference) return await pastOf(reference.generation, parts);
  if ('files' in reference) return compileCandidate('candidate', reference.files, parts);
  const { manifest, files } = readArchive(reference.bundle);
  return compileCandidate(`bundle ${manifest.generation}`, files.map(toSource), parts);
}

/** @throws CordonError `policy-invalid` */
export function compileCandidate(
  name: string,
  files: readonly SourceFile[],
  { engine, tenant }: CandidateParts,
): Candidate {
  const policies = files.filter(isPolicyFile);
  const bytes = policies.reduce((sum, file) => sum + file.text.length, 0);
  if (policies.length > limits.policyFilesMax || bytes > limits.policyBytesMax) {
    throw refusal(
      'policy-invalid',
      `at most ${limits.policyFilesMax} policy files of ${limits.policyBytesMax} bytes together`,
    );
  }
  const compiled = compileTenant(engine, policies.map(asTenantFile));
  if (!compiled.ok) throw invalid(compiled.problems);
  const policy = toTenantPolicy(tenant.current.tenant, tenant.current.generation + 1, compiled.layers);
  return { name, policy, layers: compiled.layers, files };
}

/** @throws CordonError `not-found` */
async function pastOf(generation: number, { tenant, store }: CandidateParts): Promise<Candidate> {
  const kept = await store.policies.get(scopeOf(tenant.current.tenant), generation);
  const policy = await tenant.generation(generation);
  if (kept === null || policy === null) {
    throw refusal('not-found', `there was no generation ${generation}`, ['cordon policy history']);
  }
  return { name: `generation ${generation}`, policy, layers: null, files: filesOf(kept.sources) };
}

/** @throws CordonError `bundle-invalid` */
export function readArchive(base64: string): Bundle {
  const opened = openBundle(Buffer.from(base64, 'base64'));
  if (!opened.ok) throw refusal('bundle-invalid', opened.message, ['cordon policy sign DIR']);
  return opened.bundle;
}

export function toSource({ path, text }: { readonly path: string; readonly text: string }): SourceFile {
  return { name: path, text };
}

export function testsOf(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(isTestFile);
}
