import { readFileSync } from 'node:fs';
import {
  compileEngine,
  compileGrants,
  coreCeiling,
  createContextProvenance,
  createFacts,
  createLabel,
  createSnapshot,
  type Engine,
  type Facts,
  flowOf,
  LeakMeter,
  namedByOrder,
  openTenant,
  type PolicySnapshot,
  sinksOf,
} from '@cordon/policy';
import { type Intent, type SessionPolicy, sealRecord, type TenantPolicy } from '@cordon/protocol';

const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
export const engineCode = compileEngine(readFileSync(wasm));
export const principal = { tenant: 'local', session: 'ses_bench', agent: 'bench', person: 'me', chain: 'sha256:0' };

/** The shipped ceiling and so many grants that there are `policies` in all; `approval`: each waits for a person. */
export function snapshotOf(engine: Engine, policies: number, approval?: 1): PolicySnapshot {
  const own = Object.keys(coreCeiling.policies).length + Object.keys(openTenant.policies).length;
  const grants = Array.from({ length: policies - own }, (_, index) => ({
    allow: `api${index}.example.com/repos/acme/*/issues/**`,
    methods: ['POST', 'GET'],
    clearance: 'private' as const,
    ...(approval === undefined ? {} : { approval }),
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
export function intentOf(index: number): Intent {
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
export function factsOf(snapshot: PolicySnapshot, intent: Intent, attempt = window.attempt): Facts {
  const sinks = sinksOf(snapshot, intent);
  const { flow } = flowOf({ intent, body: nothing, provenance, sinks, meter, ownCredential: false });
  return sealRecord(createFacts(intent, { ...window, attempt, flow }));
}
