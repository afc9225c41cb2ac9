import {
  type Bundle,
  buildBundle,
  checkSignatures,
  diffSpace,
  type Engine,
  type SpaceDiff,
  signaturesFor,
} from '@cordon/policy';
import {
  type Clock,
  type PolicyActivation,
  type PolicyDiff,
  type PolicyGenerationView,
  type PolicyPack,
  type PolicyReference,
  type TenantPolicy,
  type TrafficReport,
  timestamp,
} from '@cordon/protocol';
import type { Store } from '@cordon/store';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';
import { type Candidate, candidateOf, compileCandidate, readArchive, testsOf, toSource } from './candidate.ts';
import { invalid, proveTenant } from './check.ts';
import type { SourceFile } from './compile.ts';
import { inPieces, runCases, snapshotOf } from './gate.ts';
import type { Shadow } from './shadow.ts';
import { type Admitted, bundleOf, filesOf } from './sources.ts';
import { scopeOf, type TenantPolicies } from './tenant.ts';
import { judgeTraffic, type TrafficParts } from './traffic.ts';
import type { Trust } from './trust.ts';

export interface LifecycleParts extends TrafficParts {
  readonly engine: Engine;
  readonly store: Pick<Store, 'policies'>;
  readonly tenant: TenantPolicies;
  readonly trust: Trust;
  readonly shadow: Shadow;
  readonly clock: Clock;
}

export interface PackOrder {
  readonly content: { readonly files: readonly SourceFile[] } | { readonly generation: number };
  readonly notBefore?: string | undefined;
  readonly expires?: string | undefined;
}

/** From a folder of files to a policy in force, and back. Only {@link activate} changes anything. */
export class PolicyLifecycle {
  readonly #parts: LifecycleParts;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /**
   * A bundle that would follow what is in force, not yet signed; through the whole gate, so that nobody signs what cannot
   * be activated. @throws CordonError `policy-invalid`, `not-found`, `bundle-invalid`
   */
  async pack({ content, notBefore, expires }: PackOrder): Promise<PolicyPack> {
    const { engine, tenant, store, trust, clock } = this.#parts;
    const files =
      'files' in content ? content.files : (await candidateOf(content, this.#parts)).files.map(asBundleFile);
    const candidate = compileCandidate('candidate', files, this.#parts);
    await this.#gate(candidate);
    const scope = scopeOf(tenant.current.tenant);
    const built = buildBundle({
      scope,
      generation: (await store.policies.highest(scope)) + 1,
      previous: tenant.bundle?.address ?? (tenant.digest === '' ? null : tenant.digest),
      rungs: candidate.policy.rungs ?? [],
      engine: engine.digest,
      notBefore: notBefore ?? timestamp(clock),
      expires: expires ?? null,
      files: files.map(({ name, text }) => ({ path: name, text })),
    });
    if (!built.ok) throw refusal('bundle-invalid', built.message);
    const { widening } = await this.#space(tenant.current, candidate.policy);
    const { manifest, manifestBytes, address } = built.bundle;
    return {
      bundle: built.bytes.toString('base64'),
      manifest: Buffer.from(manifestBytes).toString('base64'),
      ...{ address, scope, generation: manifest.generation, widening },
      signatures: signaturesFor(trust.root, widening),
    };
  }

  /** What a bundle of somebody else's is, before it is signed. Its gate and its tests have passed. */
  async inspect(base64: string): Promise<PolicyPack> {
    const bundle = readArchive(base64);
    const candidate = compileCandidate('candidate', bundle.files.map(toSource), this.#parts);
    await this.#gate(candidate);
    const { widening } = await this.#space(this.#parts.tenant.current, candidate.policy);
    const { manifest, manifestBytes, address } = bundle;
    return {
      bundle: base64,
      manifest: Buffer.from(manifestBytes).toString('base64'),
      ...{ address, scope: manifest.scope, generation: manifest.generation, widening },
      signatures: signaturesFor(this.#parts.trust.root, widening),
    };
  }

  /**
   * Verified, through the gate, its number persisted, recorded, pushed: in this order. Resolves when every gateway decides by
   * it or is cut off. @throws CordonError `bundle-invalid`, `bundle-unsigned`, `policy-rollback`, `policy-invalid`
   */
  async activate(base64: string, envelope: unknown, by: string): Promise<PolicyActivation> {
    const bundle = readArchive(base64);
    const done = await this.#parts.tenant.activate(() => this.#admit(bundle, envelope, by));
    const { generation, address, gateways, cutOff, signedBy, widening } = done;
    const { digest } = this.#parts.tenant;
    return { generation, address, digest, gateways, cutOff, signedBy: signedBy.map((each) => ({ ...each })), widening };
  }

  async history(): Promise<PolicyGenerationView[]> {
    const { store, tenant } = this.#parts;
    const scope = scopeOf(tenant.current.tenant);
    const highest = await store.policies.highest(scope);
    const views: PolicyGenerationView[] = [];
    for (let number = highest; number > 0 && views.length < limits.policyHistoryMax; number--) {
      const kept = await store.policies.get(scope, number);
      if (kept === null) continue;
      const bundle = bundleOf(kept);
      const { generation, digest, at } = kept;
      const files = filesOf(kept.sources).map((file) => file.name);
      const inForce = generation === tenant.current.generation;
      const expires = bundle?.expires ?? null;
      views.push({ generation, digest, address: bundle?.address ?? null, files, at, expires, inForce });
    }
    return views;
  }

  /** @throws CordonError `policy-invalid`, `bundle-invalid`, `not-found` */
  async diff(before: PolicyReference, after: PolicyReference, since: string | undefined): Promise<PolicyDiff> {
    const [old, fresh] = [await candidateOf(before, this.#parts), await candidateOf(after, this.#parts)];
    const space = await this.#space(old.policy, fresh.policy);
    const traffic = since === undefined ? null : await judgeTraffic(this.#parts, old.policy, fresh.policy, since);
    const { widening, ...rest } = space;
    const changes = rest.changes.map((change) => ({
      ...change,
      policies: [...change.policies],
      before: [...change.before],
    }));
    return { widening, space: { ...rest, changes, terms: [...rest.terms] }, traffic };
  }

  /** @throws CordonError `policy-invalid`, `bundle-invalid`, `not-found` */
  async replay(reference: PolicyReference, since: string | undefined): Promise<TrafficReport> {
    const candidate = await candidateOf(reference, this.#parts);
    return await judgeTraffic(this.#parts, null, candidate.policy, since ?? '');
  }

  /** @throws CordonError `policy-invalid`, `bundle-invalid`, `not-found` */
  async shadow(reference: PolicyReference): Promise<void> {
    await this.#parts.shadow.start(await candidateOf(reference, this.#parts));
  }

  async #admit(bundle: Bundle, envelope: unknown, by: string): Promise<Admitted> {
    const { tenant, trust } = this.#parts;
    const { manifest, manifestBytes, address } = bundle;
    const first = checkSignatures(envelope, manifestBytes, trust.root, false);
    if (!first.ok)
      throw refusal('bundle-unsigned', first.message, ['cordon policy sign BUNDLE', 'cordon policy trust']);
    await this.#checkPlace(bundle);
    const candidate = compileCandidate('candidate', bundle.files.map(toSource), this.#parts);
    const { layers } = candidate;
    if (layers === null || JSON.stringify(candidate.policy.rungs ?? []) !== JSON.stringify(manifest.rungs)) {
      throw refusal('bundle-invalid', 'the manifest names other approvals than its files');
    }
    await this.#gate(candidate);
    const { widening } = await this.#space(tenant.current, candidate.policy);
    const signed = checkSignatures(envelope, manifestBytes, trust.root, widening);
    if (!signed.ok)
      throw refusal('bundle-unsigned', signed.message, ['cordon policy sign BUNDLE', 'cordon policy trust']);
    return {
      generation: manifest.generation,
      ...{ address, layers, by, widening },
      files: candidate.files,
      expires: manifest.expires,
      manifest: Buffer.from(manifestBytes).toString('utf8'),
      envelope: JSON.stringify(envelope),
      signedBy: signed.people,
    };
  }

  /** For this tenant, made with this engine, for now, and newer than all before. */
  async #checkPlace({ manifest, address }: Bundle): Promise<void> {
    const { tenant, store, engine, clock } = this.#parts;
    const scope = scopeOf(tenant.current.tenant);
    const now = timestamp(clock);
    if (manifest.scope !== scope)
      throw refusal('bundle-invalid', `a bundle of ${manifest.scope}, where this is ${scope}`);
    if (manifest.engine !== engine.digest) {
      throw refusal('bundle-invalid', 'it was tried with another engine', ['cordon policy sign DIR']);
    }
    if (now < manifest.notBefore) throw refusal('bundle-invalid', `it is not valid before ${manifest.notBefore}`);
    if (manifest.expires !== null && now >= manifest.expires) {
      throw refusal('bundle-invalid', `it expired ${manifest.expires}`, ['cordon policy sign DIR']);
    }
    const highest = await store.policies.highest(scope);
    const again = manifest.generation === tenant.current.generation && tenant.bundle?.address === address;
    if (manifest.generation <= highest && !again) {
      throw refusal('policy-rollback', `generation ${manifest.generation} comes after ${highest}`, [
        'cordon policy rollback GENERATION',
      ]);
    }
  }

  /** The finite checks and the bundle's own tests; syntax, types and ids were checked when it was compiled. */
  async #gate({ policy, files }: Candidate): Promise<void> {
    const { engine } = this.#parts;
    const wrong = await proveTenant(engine, policy, files);
    if (wrong.length > 0) throw invalid(wrong);
    const made = snapshotOf(engine, policy);
    if (!made.ok) throw invalid(made.problems);
    const failed = runCases(made.snapshot, testsOf(files), invalid).filter((result) => !result.ok);
    if (failed.length === 0) return;
    const shown = failed
      .slice(0, 5)
      .map(({ file, name, expected, got }) => `${file}: ${name}: expected ${expected}, got ${got}`);
    throw refusal('policy-invalid', shown.join('\n'), ['cordon policy test --policy FILE TESTS']);
  }

  async #space(before: TenantPolicy, after: TenantPolicy): Promise<SpaceDiff> {
    const [old, fresh] = [snapshotOf(this.#parts.engine, before), snapshotOf(this.#parts.engine, after)];
    if (!old.ok) throw invalid(old.problems);
    if (!fresh.ok) throw invalid(fresh.problems);
    return await inPieces(diffSpace(old.snapshot, fresh.snapshot));
  }
}

/** What the folder held has its place in a bundle by its kind. */
function asBundleFile({ name, text }: SourceFile): SourceFile {
  if (/^(policies|grants|tests)\//.test(name)) return { name, text };
  return { name: name.endsWith('.cedar') ? `policies/${name}` : `grants/${name.replace(/\.yml$/, '.yaml')}`, text };
}
