import * as api from '@cordon/protocol/api';
import type { StopStore } from '@cordon/store';
import { z } from 'zod';
import type { Stops } from '../../stops/stops.ts';
import { flag } from '../page.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export function stopRoutes(stops: Stops, store: StopStore): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/stops',
      action: 'stop.create',
      summary: 'Freezes or kills a session, all sessions of an agent, or all; refuses new ones in the scope.',
      limits: change,
      query: null,
      body: api.stopRequest,
      answer: { status: 201, schema: api.stopAnswer },
      creates: true,
      handle: async ({ body, caller }) => ({ body: await stops.stop(body.scope, body.strength, body.reason, caller) }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/stops',
      action: 'stop.list',
      summary: 'Stops, those in force first.',
      limits: quick,
      query: z.strictObject({ active: flag }),
      body: null,
      answer: { status: 200, schema: api.stopList },
      handle: async ({ query }) => ({
        body: { stops: [...(query.active === 'true' ? await store.active() : await store.list())] },
      }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/lifts',
      action: 'stop.lift',
      summary: 'Lifts the stops of exactly this scope; frozen sessions go on, killed ones never.',
      limits: change,
      query: null,
      body: api.liftRequest,
      answer: { status: 200, schema: api.liftAnswer },
      creates: true,
      handle: async ({ body, caller }) => ({ body: await stops.lift(body.scope, body.reason, caller) }),
    }),
  ];
}
