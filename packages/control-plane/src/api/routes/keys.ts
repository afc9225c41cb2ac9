import type { PermitPublicKey } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { jsonRoute, type Route } from '../route.ts';
import { quick } from './limits.ts';

/** Public halves only; no route gives a private one. */
export function keyRoutes(permitKey: PermitPublicKey): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/keys',
      action: 'keys.list',
      summary: 'The keys by which effectors know permits of this host, as a JWK set.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.permitKeys },
      handle: async () => ({ body: { keys: [permitKey] } }),
    }),
  ];
}
