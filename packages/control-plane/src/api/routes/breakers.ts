import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import type { Recorder } from '../../ledger/recorder.ts';
import type { Gateways } from '../../uplink/gateways.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export function breakerRoutes(gateways: Gateways, recorder: Recorder): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/breakers',
      action: 'breaker.list',
      summary: 'What the circuit breakers keep closed: ways of single sessions, and destinations that fail.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.openBreakers },
      handle: async () => {
        const { sessions, destinations } = await gateways.breakers();
        return { body: { sessions: [...sessions], destinations: [...destinations] } };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/breakers/reset',
      action: 'breaker.reset',
      summary: 'Opens again what the breakers of a session closed; with null, the destinations of all sessions.',
      limits: change,
      query: z.strictObject({}),
      body: api.breakerReset,
      answer: { status: 200, schema: api.breakerResetAnswer },
      handle: async ({ body: { session }, caller }) => {
        // Before it counts, so that nothing is open again that nobody is known to have opened.
        await recorder.admin(caller, 'breaker.reset', {}, session);
        return { body: { reset: await gateways.resetBreakers(session) } };
      },
    }),
  ];
}
