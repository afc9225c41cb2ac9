import { createSnapshot, type Engine } from '@cordon/policy';
import type { LayerSource, SessionPolicy } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { fault } from '../../error.ts';
import { checkFiles, testFiles } from '../../policy/check.ts';
import type { TenantPolicies } from '../../policy/tenant.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import type { Suggester } from '../../suggest/suggest.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, large, quick, slow } from './limits.ts';

export interface PolicyRouteParts {
  readonly engine: Engine;
  readonly tenant: TenantPolicies;
  readonly sessions: Sessions;
  readonly suggester: Suggester;
}

export function policyRoutes(parts: PolicyRouteParts): Route[] {
  return [...viewRoutes(parts), ...verbRoutes(parts)];
}

function viewRoutes({ engine, tenant, sessions }: PolicyRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/policy',
      action: 'policy.show',
      summary: "The tenant's policy in force, as Cedar.",
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.policyView },
      handle: async () => {
        const { current, digest } = tenant;
        return {
          body: {
            tenant: current.tenant,
            generation: current.generation,
            revision: null,
            digest,
            layers: current.layers.map(toView),
          },
        };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/sessions/{id}/policy',
      action: 'policy.session',
      summary: 'All layers that a session is judged by, as Cedar.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.policyView },
      handle: async ({ path }) => {
        const stored = await sessions.get(path['id'] ?? '');
        const policy = stored.detail['policy'] as unknown as SessionPolicy;
        const { current } = tenant;
        const made = createSnapshot(engine, current, policy);
        if (!made.ok)
          throw fault('internal', `policy of ${stored.id} does not load: ${made.problems[0]?.message ?? ''}`);
        return {
          body: {
            tenant: current.tenant,
            generation: current.generation,
            revision: policy.revision,
            digest: made.snapshot.digest,
            layers: [...current.layers, policy.layer].map(toView),
          },
        };
      },
    }),
  ];
}

function verbRoutes({ engine, tenant, suggester }: PolicyRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/reload',
      action: 'policy.reload',
      summary: "Reads the tenant's files anew; a bad set changes nothing.",
      limits: change,
      query: null,
      body: api.done,
      answer: { status: 200, schema: api.policyCheckAnswer },
      handle: async ({ caller }) => {
        const problems = await tenant.reload(caller);
        const policies = tenant.current.layers.reduce((sum, layer) => sum + Object.keys(layer.policies).length, 0);
        return { body: { ok: problems.length === 0, problems: [...problems], policies } };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/check',
      action: 'policy.check',
      summary: 'The load gate, for files that are not in force.',
      limits: large,
      query: null,
      body: api.policyCheckRequest,
      answer: { status: 200, schema: api.policyCheckAnswer },
      handle: async ({ body }) => {
        const checked = await checkFiles(engine, body.files);
        return { body: { ...checked, problems: [...checked.problems] } };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/test',
      action: 'policy.test',
      summary: 'Runs cases against candidate files.',
      limits: large,
      query: null,
      body: api.policyTestRequest,
      answer: { status: 200, schema: api.policyTestAnswer },
      handle: async ({ body }) => {
        const tested = testFiles(engine, body.files, body.tests);
        return { body: { ...tested, cases: [...tested.cases] } };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/suggest',
      action: 'policy.suggest',
      summary: 'The narrowest grants for what was denied, tried against every recorded request. Changes nothing.',
      limits: slow,
      query: null,
      body: api.suggestRequest,
      answer: { status: 200, schema: api.suggestion },
      handle: async ({ body }) => ({ body: await suggester.suggest(body) }),
    }),
  ];
}

function toView(layer: LayerSource): { name: string; policies: Record<string, string> } {
  return { name: layer.name, policies: { ...layer.policies } };
}
