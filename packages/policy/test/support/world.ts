import { readFileSync } from 'node:fs';
import type {
  ActionName,
  Intent,
  LayerSource,
  OriginRule,
  Principal,
  SessionPolicy,
  TenantPolicy,
} from '@cordon/protocol';
import {
  authorize,
  compileEngine,
  coreCeiling,
  createEngine,
  createFacts,
  createSnapshot,
  type Decision,
  type Engine,
  type EngineOptions,
  type FactsInput,
  noApproval,
  openTenant,
  type PolicySnapshot,
  type SnapshotOptions,
  usualFlow,
} from '../../src/index.ts';

const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
export const engineCode = compileEngine(readFileSync(wasm));

export function freshEngine(options: EngineOptions = {}): Engine {
  return createEngine(engineCode.module, engineCode.digest, options);
}

export const principal: Principal = {
  tenant: 'local',
  session: 'ses_1',
  agent: 'fixer',
  person: 'ada',
  chain: `sha256:${'1'.repeat(64)}`,
};

export interface World {
  readonly ceiling?: LayerSource;
  readonly tenant?: LayerSource;
  readonly person?: LayerSource;
  readonly session?: Readonly<Record<string, string>>;
  readonly tenantOrigins?: readonly OriginRule[];
  readonly origins?: readonly OriginRule[];
  readonly expires?: string | null;
  readonly stopped?: boolean;
}

export const anything = 'permit (principal, action, resource);';

export function policiesOf(world: World): { tenant: TenantPolicy; session: SessionPolicy } {
  const layers = [world.ceiling ?? coreCeiling, world.tenant ?? openTenant];
  if (world.person !== undefined) layers.push(world.person);
  const { tenant, session, agent, person, chain } = principal;
  return {
    tenant: { tenant, generation: 7, layers, origins: world.tenantOrigins ?? [], expires: world.expires ?? null },
    session: {
      tenant,
      session,
      agent,
      person,
      chain,
      salt: '0'.repeat(32),
      revision: 3,
      layer: { name: 'session', policies: world.session ?? { 'session/open': anything } },
      origins: world.origins ?? [],
      secrets: [],
      stopped: world.stopped ?? false,
      startedAt: '2026-01-01T00:00:00.000Z',
      profile: 'generic',
    },
  };
}

export function snapshotOf(engine: Engine, world: World = {}, options: SnapshotOptions = {}): PolicySnapshot {
  const { tenant, session } = policiesOf(world);
  const result = createSnapshot(engine, tenant, session, options);
  if (!result.ok) throw new TypeError(JSON.stringify(result.problems));
  return result.snapshot;
}

export function intentOf(
  resource = 'https://api.github.com:443',
  method = 'GET',
  path = '/repos/acme',
  more: Partial<Intent> = {},
): Intent {
  const { tenant, session, agent, chain } = principal;
  return {
    v: 'intent/1',
    tenant,
    session,
    agent,
    chain,
    salt: '0'.repeat(32),
    action: 'http.request',
    resource,
    args: { method, path, query: [], headers: [] },
    payload: { sha256: `sha256:${'2'.repeat(64)}`, bytes: 0, kind: 'none' },
    ...more,
  };
}

export function intentFor(action: ActionName, resource: string): Intent {
  return intentOf(resource, 'GET', '/', { action, ...(action.startsWith('http.') ? {} : { args: {} }) });
}

export const at = '2026-03-04T05:06:07.089Z';
export const later = '2026-03-04T05:06:22.089Z';

export function factsOf(intent: Intent, more: Partial<FactsInput> = {}) {
  return createFacts(intent, { attempt: 'att_1', at, freshUntil: later, live: true, flow: usualFlow, ...more });
}

export function decide(snapshot: PolicySnapshot, intent: Intent, more: Partial<FactsInput> = {}): Decision {
  return authorize(snapshot, snapshot.principal, intent, factsOf(intent, more), noApproval);
}
