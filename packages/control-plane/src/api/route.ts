import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import { fault } from '../error.ts';

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Every route names what it costs at most. A route without limits does not start (style rule 6). */
export interface RouteLimits {
  readonly bodyBytesMax: number;
  readonly concurrentMax: number;
  readonly timeoutMs: number;
}

/** What a handler is given: parsed once, by the route's own schemas; nothing raw. */
export interface ApiRequest<Query, Body> {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** Who asks. On the local socket that is the owner of the daemon: the socket is 0600. */
  readonly caller: string;
  readonly ifMatch: string | null;
  readonly lastEventId: string | null;
  readonly signal: AbortSignal;
}

export interface ApiAnswer<Body> {
  readonly body: Body;
  readonly etag?: string;
  readonly location?: string;
}

/** One event of a stream; its id is a cursor with which a reader resumes. */
export interface ApiEvent {
  readonly event: string;
  readonly id: string;
  readonly data: unknown;
}

interface RouteHead {
  readonly method: ApiMethod;
  /** `{name}` stands for one segment. */
  readonly path: string;
  /** The name under which policy and ledger know what this does. */
  readonly action: string;
  readonly summary: string;
  readonly limits: RouteLimits;
}

export interface JsonRoute<Query, Body, Answer> extends RouteHead {
  readonly kind: 'json';
  readonly query: z.core.$ZodType<Query> | null;
  readonly body: z.core.$ZodType<Body> | null;
  readonly answer: { readonly status: 200 | 201 | 202; readonly schema: z.core.$ZodType<Answer> };
  /** Creates something: an `Idempotency-Key` is honoured. */
  readonly creates: boolean;
  /** A stream of the same resource, for `?follow=true`. What it throws at once is still an HTTP answer. */
  readonly follow: ((request: ApiRequest<Query, Body>) => AsyncIterable<ApiEvent>) | null;
  handle(request: ApiRequest<Query, Body>): Promise<ApiAnswer<Answer>>;
}

export interface UpgradeRoute<Query> extends RouteHead {
  readonly kind: 'upgrade';
  readonly protocol: string;
  readonly query: z.core.$ZodType<Query> | null;
  /** Opens the other end before the 101, so that a refusal is still an HTTP answer. */
  handle(request: ApiRequest<Query, null>): Promise<Duplex>;
}

/** A table holds routes of many types; the server calls each only with what its own schemas made. */
export type Route = JsonRoute<unknown, unknown, unknown> | UpgradeRoute<unknown>;

export function jsonRoute<Query, Body, Answer>(
  route: Omit<JsonRoute<Query, Body, Answer>, 'kind' | 'creates' | 'follow'> &
    Partial<Pick<JsonRoute<Query, Body, Answer>, 'creates' | 'follow'>>,
): Route {
  return { creates: false, follow: null, ...route, kind: 'json' } as unknown as Route;
}

export function upgradeRoute<Query>(route: Omit<UpgradeRoute<Query>, 'kind'>): Route {
  return { ...route, kind: 'upgrade' } as unknown as Route;
}

const pathPattern = /^\/v1(\/([a-z0-9.-]+|\{[a-z]+\}))+$/;
const actionPattern = /^[a-z]+\.[a-z]+$/;

/**
 * A start-up error for a table that leaves something out; nothing is served by a guess.
 * @throws CordonError `route-invalid`
 */
export function checkRoutes(routes: readonly Route[]): void {
  const seen = new Set<string>();
  for (const route of routes) {
    const name = `${route.method} ${route.path}`;
    if (!pathPattern.test(route.path)) throw fault('route-invalid', `${name}: malformed path`);
    if (!actionPattern.test(route.action ?? '')) throw fault('route-invalid', `${name}: names no action`);
    const limits = Object.values(route.limits ?? {}) as unknown[];
    if (limits.length !== 3 || !limits.every((limit) => Number.isSafeInteger(limit) && Number(limit) >= 0)) {
      throw fault('route-invalid', `${name}: names no limits`);
    }
    if (route.kind === 'json' && route.body !== null && route.method === 'GET') {
      throw fault('route-invalid', `${name}: GET takes no body`);
    }
    // `{id}` and `{name}` in one place would make the match depend on the order of the table.
    const shape = name.replace(/\{[a-z]+\}/g, '{}');
    if (seen.has(shape)) throw fault('route-invalid', `${name}: defined twice`);
    seen.add(shape);
  }
}
