import {
  authorize,
  coreCeiling,
  createFacts,
  createSnapshot,
  type Engine,
  noApproval,
  openTenant,
  usualFlow,
} from '@cordon/policy';
import {
  type Clock,
  createId,
  type Intent,
  type Random,
  type SessionPolicy,
  type TenantPolicy,
  timestamp,
} from '@cordon/protocol';

const rounds = 8;
const nobody = 'warm-up';

/**
 * Decides about a few requests that nobody made, under a policy that is never in force: the first calls of a fresh
 * engine take ten times as long as later ones, and a decision that is late is a deny. false: it did not get that far.
 */
export function warmUp(engine: Engine, clock: Clock, random: Random): boolean {
  const at = timestamp(clock);
  const attempt = createId('attempt', clock, random);
  const tenant: TenantPolicy = {
    tenant: nobody,
    generation: 0,
    layers: [coreCeiling, openTenant],
    origins: [],
    expires: null,
  };
  const layer = { name: 'session' as const, policies: { 'session/warm-up': 'permit (principal, action, resource);' } };
  const named = {
    agent: nobody,
    person: nobody,
    chain: `sha256:${'0'.repeat(64)}`,
    salt: '0'.repeat(32),
    profile: nobody,
  };
  const rest = { revision: 0, origins: [], secrets: [], stopped: false, startedAt: at };
  const session: SessionPolicy = { ...named, ...rest, tenant: nobody, session: nobody, layer };
  const made = createSnapshot(engine, tenant, session);
  if (!made.ok) return false;
  let reached = true;
  for (let round = 0; round < rounds; round++) {
    const intent = request(session, `/warm/${round}`);
    const facts = createFacts(intent, {
      attempt,
      at,
      freshUntil: '9999-12-31T00:00:00.000Z',
      live: true,
      flow: usualFlow,
    });
    const { outcome } = authorize(made.snapshot, made.snapshot.principal, intent, facts, noApproval);
    reached &&= outcome === 'allow';
  }
  return reached;
}

function request({ tenant, session, agent, chain, salt }: SessionPolicy, path: string): Intent {
  const args = { method: 'GET', path, search: null, query: [], headers: [] };
  const payload = { sha256: '0'.repeat(64), bytes: 0, kind: 'none' as const };
  const resource = 'https://warm.invalid:443';
  return { v: 'intent/1', tenant, session, agent, chain, salt, action: 'http.request', resource, args, payload };
}
