import { readFileSync } from 'node:fs';
import {
  authorize,
  compileEngine,
  compileGrants,
  coreCeiling,
  createContextProvenance,
  createEngine,
  createFacts,
  createLabel,
  createSnapshot,
  type Engine,
  type Facts,
  flowOf,
  LeakMeter,
  namedByOrder,
  noApproval,
  openTenant,
  type PolicySnapshot,
  sinksOf,
} from '@cordon/policy';
import { type Intent, type SessionPolicy, sealRecord, type TenantPolicy } from '@cordon/protocol';
import { placeAmong } from '../../packages/policy/src/decide/focus.ts';
import { createRequest } from '../../packages/policy/src/decide/request.ts';
import { createSlice } from '../../packages/policy/src/decide/slice.ts';

/**
 * Cost of one decision, fully typed: `node --conditions=cordon-source bench/policy/authorize.ts [RUNS]`.
 * `engine` is the bare evaluation of the same call, so that what Cordon adds shows; `memo` is a hit.
 */
const runs = Number(process.argv[2] ?? 5000);
const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
const { module, digest } = compileEngine(readFileSync(wasm));
const principal = { tenant: 'local', session: 'ses_bench', agent: 'bench', person: 'me', chain: 'sha256:0' };

function snapshotOf(engine: Engine, policies: number): PolicySnapshot {
  const own = Object.keys(coreCeiling.policies).length + Object.keys(openTenant.policies).length;
  const grants = Array.from({ length: policies - own }, (_, index) => ({
    allow: `api${index}.example.com/repos/acme/*/issues/**`,
    methods: ['POST', 'GET'],
    clearance: 'private' as const,
  }));
  const compiled = compileGrants(grants, { layer: 'session', source: 'bench' });
  if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
  const tenant: TenantPolicy = {
    tenant: 'local',
    generation: 1,
    layers: [coreCeiling, openTenant],
    origins: [],
    expires: null,
  };
  const session: SessionPolicy = {
    ...principal,
    salt: '0'.repeat(32),
    revision: 1,
    layer: { name: 'session', policies: compiled.policies },
    origins: compiled.origins,
    secrets: [],
    stopped: false,
    startedAt: '2026-01-01T00:00:00.000Z',
    profile: 'generic',
  };
  const result = createSnapshot(engine, tenant, session);
  if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
  return result.snapshot;
}

/** Sealed, as the gateway makes intents and facts: each is written canonically once, however often it is hashed. */
function intentOf(index: number): Intent {
  const { tenant, session, agent, chain } = principal;
  const headers = Array.from({ length: 12 }, (_, at): [string, string] => [`x-header-${at}`, `value ${at}`]);
  return sealRecord({
    v: 'intent/1',
    tenant,
    session,
    agent,
    chain,
    salt: '0'.repeat(32),
    action: 'http.request',
    resource: 'https://api3.example.com:443',
    args: { method: 'GET', path: `/repos/acme/app/issues/${index}`, query: [], headers },
    payload: { sha256: `sha256:${'0'.repeat(64)}`, bytes: 0, kind: 'none' },
  });
}

const window = {
  attempt: 'att_bench',
  at: '2026-01-01T00:00:00.000Z',
  freshUntil: '2026-01-01T00:00:15.000Z',
  live: true,
};

const context = createLabel({ integrity: 0, confidentiality: 2, readers: ['me'], sources: ['bench'] });
const provenance = createContextProvenance(context, namedByOrder([]));
const meter = new LeakMeter();
const nothing = new Uint8Array();

/** As the gateway makes them: the labels of the intent are part of its cost. */
function factsOf(snapshot: PolicySnapshot, intent: Intent): Facts {
  const sinks = sinksOf(snapshot, intent);
  const { flow } = flowOf({ intent, body: nothing, provenance, sinks, meter, ownCredential: false });
  return sealRecord(createFacts(intent, { ...window, flow }));
}

function measure(name: string, work: (index: number) => void): void {
  for (let index = 0; index < Math.min(1000, runs); index++) work(index);
  const samples = new Float64Array(runs);
  for (let index = 0; index < runs; index++) {
    const start = performance.now();
    work(index);
    samples[index] = (performance.now() - start) * 1000;
  }
  samples.sort();
  const at = (share: number) => (samples[Math.floor(share * (runs - 1))] ?? 0).toFixed(0).padStart(7);
  console.log(`${name.padEnd(34)} p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`);
}

for (const policies of [20, 50, 200]) {
  const bare = createEngine(module, digest, { memoEntries: 0 });
  const snapshot = snapshotOf(bare, policies);
  const requests = Array.from({ length: 64 }, (_, index) => {
    const intent = intentOf(index);
    const facts = factsOf(snapshot, intent);
    const slice = createSlice(principal, intent.action, intent.resource, facts);
    const request = slice === null ? null : createRequest(intent, facts, noApproval, slice);
    if (slice === null || request === null) throw new TypeError('the request has no canonical reading');
    const { head } = placeAmong(snapshot.policies.values(), intent.action, slice);
    return { head, context: request.context(head.focus.view) };
  });
  measure(`${policies} policies, engine alone`, (index) => {
    const request = requests[index % 64];
    if (request !== undefined) bare.evaluate(request.head, request.context);
  });
  measure(`${policies} policies, facts + authorize`, (index) => {
    const intent = intentOf(index % 64);
    const decision = authorize(snapshot, principal, intent, factsOf(snapshot, intent), noApproval);
    if (decision.outcome !== 'allow') throw new TypeError(decision.record.code);
  });
  const remembering = snapshotOf(createEngine(module, digest), policies);
  measure(`${policies} policies, memo hit`, (index) => {
    const intent = intentOf(index % 64);
    authorize(remembering, principal, intent, factsOf(remembering, intent), noApproval);
  });
  // A session's usual work: mostly what it did before, a twentieth of it new.
  const mixed = snapshotOf(createEngine(module, digest), policies);
  let next = 64;
  measure(`${policies} policies, mix of old and new`, (index) => {
    const intent = intentOf(index % 20 === 0 ? next++ : index % 64);
    authorize(mixed, principal, intent, factsOf(mixed, intent), noApproval);
  });
  const fresh = createEngine(module, digest);
  measureOnce(`${policies} policies, snapshot, cold`, () => snapshotOf(fresh, policies));
  measureOnce(`${policies} policies, snapshot, layers known`, () => snapshotOf(fresh, policies));
}
measureOnce('fresh engine instance', () => createEngine(module, digest));

function measureOnce(name: string, work: () => unknown): void {
  const start = performance.now();
  work();
  console.log(`${name.padEnd(34)} once ${(performance.now() - start).toFixed(1)} ms`);
}
