import { protocolLimits } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { limits } from '../../limits.ts';
import type { PolicyLifecycle } from '../../policy/lifecycle.ts';
import type { Shadow } from '../../policy/shadow.ts';
import type { Trust } from '../../policy/trust.ts';
import { jsonRoute, type Route, type RouteLimits } from '../route.ts';
import { change, quick } from './limits.ts';

export interface LifecycleRouteParts {
  readonly lifecycle: PolicyLifecycle;
  readonly shadow: Shadow;
  readonly trust: Trust;
}

/** A body with a bundle in it, and work over a whole space of requests. */
const heavy: RouteLimits = {
  bodyBytesMax: protocolLimits.bundleCharsMax,
  concurrentMax: 2,
  timeoutMs: limits.apiHandlerTimeoutMs,
};

export function lifecycleRoutes(parts: LifecycleRouteParts): Route[] {
  return [...bundleRoutes(parts), ...questionRoutes(parts), ...trustRoutes(parts)];
}

function bundleRoutes({ lifecycle }: LifecycleRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/pack',
      action: 'policy.pack',
      summary: 'A bundle to follow what is in force, not yet signed. Changes nothing.',
      limits: heavy,
      query: null,
      body: api.policyPackRequest,
      answer: { status: 200, schema: api.policyPackAnswer },
      handle: async ({ body }) => ({ body: await lifecycle.pack(body) }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/inspect',
      action: 'policy.inspect',
      summary: 'What a bundle is, through the whole gate, before one signs it. Changes nothing.',
      limits: heavy,
      query: null,
      body: api.policyInspectRequest,
      answer: { status: 200, schema: api.policyPackAnswer },
      handle: async ({ body }) => ({ body: await lifecycle.inspect(body.bundle) }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/activate',
      action: 'policy.activate',
      summary: 'Puts a signed bundle in force; answers when every gateway decides by it or is cut off.',
      limits: heavy,
      query: null,
      body: api.policyActivateRequest,
      answer: { status: 200, schema: api.policyActivateAnswer },
      handle: async ({ body, caller }) => ({ body: await lifecycle.activate(body.bundle, body.envelope, caller) }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/policy/generations',
      action: 'policy.history',
      summary: 'What was in force, newest first.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.policyHistory },
      handle: async () => ({ body: { generations: await lifecycle.history() } }),
    }),
  ];
}

function questionRoutes({ lifecycle, shadow }: LifecycleRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/diff',
      action: 'policy.diff',
      summary: 'What another policy newly allows, holds and denies, over the finite space and over recorded traffic.',
      limits: heavy,
      query: null,
      body: api.policyDiffRequest,
      answer: { status: 200, schema: api.policyDiffAnswer },
      handle: async ({ body }) => ({ body: await lifecycle.diff(body.before, body.after, body.since) }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/policy/replay',
      action: 'policy.replay',
      summary: 'Recorded requests, judged again by a candidate with the facts as they were.',
      limits: heavy,
      query: null,
      body: api.policyReplayRequest,
      answer: { status: 200, schema: api.trafficReport },
      handle: async ({ body }) => ({ body: await lifecycle.replay(body.candidate, body.since) }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/policy/shadow',
      action: 'policy.shadow',
      summary: 'What the candidate that judges beside would have decided otherwise.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.policyShadow },
      handle: async () => ({ body: shadow.view() }),
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/policy/shadow',
      action: 'policy.beside',
      summary: 'Has a candidate judge beside, off the path of requests. Decides nothing.',
      limits: heavy,
      query: null,
      body: api.policyShadowRequest,
      answer: { status: 200, schema: api.policyShadow },
      handle: async ({ body }) => {
        await lifecycle.shadow(body.candidate);
        return { body: shadow.view() };
      },
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/policy/shadow',
      action: 'policy.unshadow',
      summary: 'Ends it; the answer is the last report.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.policyShadow },
      handle: async () => {
        const last = shadow.view();
        await shadow.stop();
        return { body: last };
      },
    }),
  ];
}

function trustRoutes({ trust }: LifecycleRouteParts): Route[] {
  const view = () => structuredClone(trust.root) as api.TrustRootView;
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/policy/trust',
      action: 'policy.trust',
      summary: 'Whose signatures put policy in force, and how many it takes.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.trustRoot },
      handle: async () => ({ body: view() }),
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/policy/trust',
      action: 'policy.rotate',
      summary: 'The next trust root, signed by the thresholds of the old and of the new one.',
      limits: { ...change, bodyBytesMax: protocolLimits.apiBodyBytesMax },
      query: null,
      body: api.trustRequest,
      answer: { status: 200, schema: api.trustRoot },
      handle: async ({ body, caller }) => {
        await trust.rotate(body.envelope, caller);
        return { body: view() };
      },
    }),
  ];
}
