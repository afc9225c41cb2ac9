import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import { refusal } from '../../error.ts';
import { type DecisionFilter, type Decisions, didNotHappen } from '../../ledger/decisions.ts';
import type { Explainer } from '../../ledger/explain.ts';
import type { Refusals } from '../../ledger/refusals.ts';
import { limits } from '../../limits.ts';
import { flag, pageQuery, wordList } from '../page.ts';
import { type ApiEvent, jsonRoute, type Route } from '../route.ts';
import { quick } from './limits.ts';

const listQuery = z.strictObject({
  ...pageQuery,
  session: z.string().max(64).optional(),
  agent: z.string().max(63).optional(),
  outcome: wordList(['allow', 'deny', 'hold']),
  /** Everything that did not happen: denied, held, or allowed and then not dialled. Takes the place of `outcome`. */
  denied: flag,
  order: z.enum(['asc', 'desc']).default('desc'),
  follow: flag,
  /** Where a stream without cursor begins. */
  since: z.enum(['start', 'now']).default('now'),
});

const refusalQuery = z.strictObject({
  ...pageQuery,
  session: z.string().max(64).optional(),
  agent: z.string().max(63).optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  follow: flag,
  since: z.enum(['start', 'now']).default('now'),
});

export function decisionRoutes(decisions: Decisions, refusals: Refusals, explainer: Explainer): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/decisions',
      action: 'decision.list',
      summary: 'Recorded decisions; with follow=true a stream that resumes by Last-Event-ID.',
      limits: quick,
      query: listQuery,
      body: null,
      answer: { status: 200, schema: api.decisionPage },
      follow: ({ query, lastEventId, signal }) => {
        return toEvents(decisions.follow(filterOf(query), cursorOf(query, lastEventId), signal));
      },
      handle: async ({ query }) => ({
        body: await decisions.list(filterOf(query), {
          cursor: query.cursor,
          limit: Math.min(query.limit, limits.pageItemsMax),
          order: query.order,
        }),
      }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/decisions/{attempt}',
      action: 'decision.explain',
      summary: 'One decision with everything that it was made from.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.explanation },
      handle: async ({ path }) => ({ body: await explainer.explain(path['attempt'] ?? '') }),
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/refusals',
      action: 'refusal.list',
      summary: 'Requests refused before a decision; with follow=true a stream that resumes by Last-Event-ID.',
      limits: quick,
      query: refusalQuery,
      body: null,
      answer: { status: 200, schema: api.refusalPage },
      follow: ({ query, lastEventId, signal }) =>
        refusalEvents(refusals.follow(query, cursorOf(query, lastEventId), signal)),
      handle: async ({ query }) => {
        const { cursor, limit, order } = query;
        return { body: await refusals.list(query, { cursor, limit, order }) };
      },
    }),
  ];
}

/** @throws CordonError `request-invalid` */
function cursorOf(
  query: { cursor?: string | undefined; since: 'start' | 'now' },
  lastEventId: string | null,
): string | null {
  if (lastEventId !== null && !pageQuery.cursor.safeParse(lastEventId).success) {
    throw refusal('request-invalid', 'Last-Event-ID: not an id of this stream');
  }
  return lastEventId ?? query.cursor ?? (query.since === 'start' ? '' : null);
}

function filterOf({ session, agent, outcome, denied }: z.output<typeof listQuery>): DecisionFilter {
  return denied === 'true' ? { session, agent, ...didNotHappen } : { session, agent, outcome };
}

async function* refusalEvents(refused: ReturnType<Refusals['follow']>): AsyncGenerator<ApiEvent> {
  for await (const { cursor, refusal: data } of refused) yield { event: 'refusal', id: cursor, data };
}

async function* toEvents(decisions: ReturnType<Decisions['follow']>): AsyncGenerator<ApiEvent> {
  for await (const { cursor, decision } of decisions) yield { event: 'decision', id: cursor, data: decision };
}
