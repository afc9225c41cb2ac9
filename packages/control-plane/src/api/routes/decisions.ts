import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import { refusal } from '../../error.ts';
import type { Decisions } from '../../ledger/decisions.ts';
import type { Explainer } from '../../ledger/explain.ts';
import { limits } from '../../limits.ts';
import { flag, pageQuery, wordList } from '../page.ts';
import { type ApiEvent, jsonRoute, type Route } from '../route.ts';
import { quick } from './limits.ts';

const listQuery = z.strictObject({
  ...pageQuery,
  session: z.string().max(64).optional(),
  agent: z.string().max(63).optional(),
  outcome: wordList(['allow', 'deny', 'hold']),
  order: z.enum(['asc', 'desc']).default('desc'),
  follow: flag,
  /** Where a stream without cursor begins. */
  since: z.enum(['start', 'now']).default('now'),
});

export function decisionRoutes(decisions: Decisions, explainer: Explainer): Route[] {
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
        const cursor = lastEventId ?? query.cursor ?? (query.since === 'start' ? '' : null);
        if (lastEventId !== null && !pageQuery.cursor.safeParse(lastEventId).success) {
          throw refusal('request-invalid', 'Last-Event-ID: not an id of this stream');
        }
        return toEvents(decisions.follow(query, cursor, signal));
      },
      handle: async ({ query }) => ({
        body: await decisions.list(query, {
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
  ];
}

async function* toEvents(decisions: ReturnType<Decisions['follow']>): AsyncGenerator<ApiEvent> {
  for await (const { cursor, decision } of decisions) yield { event: 'decision', id: cursor, data: decision };
}
