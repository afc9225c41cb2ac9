import type {
  Brand,
  LayerSource,
  OriginRule,
  Principal,
  RecordValue,
  SessionPolicy,
  TenantPolicy,
} from '@cordon/protocol';
import { type Digest, digestRecord } from '@cordon/protocol/digest';
import type { Placed } from './decide/focus.ts';
import type { Engine } from './engine/engine.ts';
import { Lru } from './engine/lru.ts';
import type { ApprovalFacts } from './fact/facts.ts';
import type { CompiledLayer, CompiledPolicy } from './gate/compiled.ts';
import { compileLayer, nothingKnown } from './gate/layer.ts';
import { type PolicyProblem, problem } from './gate/problem.ts';
import { allReads, readsApproval } from './gate/reads.ts';
import { limits } from './limits.ts';

/**
 * One immutable generation of policy for one session (I4): the tenant's generation and the session's revision.
 * INVARIANT: every layer in it has passed the load gate, and `policies` holds exactly theirs.
 */
export type PolicySnapshot = Brand<SnapshotContent, 'PolicySnapshot'>;

interface SnapshotContent {
  readonly engine: Engine;
  readonly tenant: string;
  readonly session: string;
  readonly generation: number;
  readonly revision: number;
  readonly digest: Digest;
  /** RFC 3339; from then on everything is denied. */
  readonly expires: string | null;
  readonly stopped: boolean;
  readonly principal: Principal;
  readonly layers: readonly CompiledLayer[];
  readonly origins: readonly OriginRule[];
  /** Rising strengths of approval; the first that permits is asked for. */
  readonly rungs: readonly ApprovalFacts[];
  readonly readsApproval: boolean;
  readonly policies: ReadonlyMap<string, CompiledPolicy>;
  /** Remembered, never decided by: each is what `placeAmong` gives for the policies and its key. */
  readonly places: Lru<Placed>;
  /** Remembered likewise: the rules of `origins` that speak of one origin. */
  readonly rulesOf: Lru<readonly OriginRule[]>;
}

export interface SnapshotOptions {
  /** In place of the tenant's. */
  readonly rungs?: readonly ApprovalFacts[];
}

/** One person decides alone: where a tenant has said nothing else. */
const soloRungs: readonly ApprovalFacts[] = [{ quorum: 1, strong: false }];

export type SnapshotResult =
  | { readonly ok: true; readonly snapshot: PolicySnapshot }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

export function createSnapshot(
  engine: Engine,
  tenant: TenantPolicy,
  session: SessionPolicy,
  options: SnapshotOptions = {},
): SnapshotResult {
  const sources = [...tenant.layers, session.layer];
  const problems = checkLayerNames(sources);
  if (tenant.tenant !== session.tenant)
    problems.push(problem('', 'layer-unexpected', 'the session is of another tenant'));
  if (tenant.expires !== null && !isTime(tenant.expires)) {
    problems.push(
      problem('', 'expires-invalid', 'expires is RFC 3339 in UTC with milliseconds', '2027-01-01T00:00:00.000Z'),
    );
  }
  const rungs = options.rungs ?? tenant.rungs ?? soloRungs;
  if (!areRungs(rungs)) {
    problems.push(problem('', 'rungs-invalid', `rungs are up to ${limits.rungsMax} and rise in quorum and strength`));
  }
  const layers: CompiledLayer[] = [];
  for (const source of sources) {
    const result = compileLayer(engine, source, nothingKnown);
    if (result.ok) layers.push(result.layer);
    else problems.push(...result.problems);
  }
  if (problems.length > 0) return { ok: false, problems };
  const policies = layers.flatMap((layer) => layer.policies);
  if (policies.length > limits.policiesMax) {
    return { ok: false, problems: [problem('', 'too-many', `a snapshot has at most ${limits.policiesMax} policies`)] };
  }
  const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]));
  // Cedar answers with what is left when a policy fails; a set in which that goes unnoticed is never used.
  if (!engine.reportsFailures(texts)) {
    return {
      ok: false,
      problems: [problem('', 'self-test', 'planted failing policies were not reported for this set')],
    };
  }
  return { ok: true, snapshot: seal(engine, tenant, session, layers, rungs) };
}

function seal(
  engine: Engine,
  tenant: TenantPolicy,
  session: SessionPolicy,
  layers: readonly CompiledLayer[],
  rungs: readonly ApprovalFacts[],
): PolicySnapshot {
  const policies = layers.flatMap((layer) => layer.policies);
  const origins = [...tenant.origins, ...session.origins.map((rule) => ({ ...rule, trusted: false }))];
  const reads = allReads(policies.map((policy) => policy.reads));
  const { stopped } = session;
  const { expires } = tenant;
  const named = layers.map(({ name, digest }) => ({ name, digest }));
  const rules = origins.map((rule) => ({ ...rule, addresses: [...rule.addresses] }));
  const steps = rungs.map(({ quorum, strong }) => ({ quorum, strong }));
  const hashed = {
    v: 'snapshot/1',
    layers: named,
    origins: rules as unknown as RecordValue,
    rungs: steps,
    expires,
    stopped,
  };
  const content: SnapshotContent = {
    engine,
    tenant: tenant.tenant,
    session: session.session,
    generation: tenant.generation,
    revision: session.revision,
    digest: digestRecord('bundle', hashed),
    expires,
    stopped,
    principal: principalOf(session),
    layers,
    origins,
    rungs: steps,
    readsApproval: readsApproval(reads),
    policies: new Map(policies.map((policy) => [policy.id, policy])),
    places: new Lru(limits.placesMax),
    rulesOf: new Lru(limits.placesMax),
  };
  return Object.freeze(content) as PolicySnapshot;
}

function principalOf({ tenant, session, agent, person, chain }: SessionPolicy): Principal {
  return { tenant, session, agent, person, chain };
}

/** Authorize asks for the lowest that permits, which is only sound where each is at least as strong as the one before. */
function areRungs(rungs: readonly ApprovalFacts[]): boolean {
  if (rungs.length > limits.rungsMax) return false;
  return rungs.every(({ quorum, strong }, i) => {
    const before = rungs[i - 1] ?? { quorum: 1, strong: false };
    const counts = Number.isSafeInteger(quorum) && quorum <= limits.approvalsMax && typeof strong === 'boolean';
    return counts && quorum >= before.quorum && (strong || !before.strong);
  });
}

/** Times are compared as text, which is only sound in the one form that is recorded. */
function isTime(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
}

/** A layer that is not there would be a layer that permits everything. */
function checkLayerNames(sources: readonly LayerSource[]): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const names = sources.map((source) => source.name);
  for (const name of ['ceiling', 'tenant', 'session'] as const) {
    if (!names.includes(name)) problems.push(problem(name, 'layer-missing', `the ${name} layer is missing`));
  }
  if (names.at(-1) !== 'session')
    problems.push(problem('session', 'layer-unexpected', 'the session has the last layer'));
  for (const name of names) {
    if (names.indexOf(name) !== names.lastIndexOf(name) && !problems.some((each) => each.code === 'id-duplicate')) {
      problems.push(problem(name, 'id-duplicate', `the ${name} layer is there twice`));
    }
  }
  return problems;
}
