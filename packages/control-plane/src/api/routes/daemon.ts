import type { Capability, Stats, Status } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import { createOpenApi } from '../openapi.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, quick, slow } from './limits.ts';

export interface DaemonRouteParts {
  readonly version: string;
  status(): Promise<Status>;
  stats(): Promise<Stats>;
  probe(): Promise<readonly Capability[]>;
  /** Begins to end everything; returns at once. */
  shutdown(by: string): void;
}

/** Status and the daemon's end; and the description of all routes, these included. */
export function daemonRoutes(parts: DaemonRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/status',
      action: 'daemon.status',
      summary: 'Roles, sessions, ledger head, what was recovered, warnings.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.status },
      handle: async () => ({ body: await parts.status() }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/stats',
      action: 'daemon.stats',
      summary: 'One look at every session that is alive, at the gateways and at the ledger.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.stats },
      handle: async () => ({ body: await parts.stats() }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/shutdown',
      action: 'daemon.shutdown',
      summary: 'Ends every session and every process of Cordon.',
      limits: change,
      query: null,
      body: api.done,
      answer: { status: 202, schema: api.done },
      handle: async ({ caller }) => {
        parts.shutdown(caller);
        return { body: {} };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/doctor',
      action: 'daemon.probe',
      summary: 'What isolation this host can give, each line tried.',
      limits: slow,
      query: null,
      body: null,
      answer: { status: 200, schema: api.doctorAnswer },
      handle: async () => ({ body: { capabilities: [...(await parts.probe())] } }),
    }),
  ];
}

export function openApiRoute(others: readonly Route[], version: string): Route {
  const routes: Route[] = [...others];
  const self = jsonRoute({
    method: 'GET',
    path: '/v1/openapi.json',
    action: 'daemon.describe',
    summary: 'This description, as OpenAPI 3.1.',
    limits: quick,
    query: null,
    body: null,
    answer: { status: 200, schema: z.record(z.string(), z.unknown()) },
    handle: async () => ({ body: document }),
  });
  routes.push(self);
  const document = createOpenApi(routes, version) as Record<string, unknown>;
  return self;
}
