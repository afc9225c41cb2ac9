import * as api from '@cordon/protocol/api';
import type { Budgets } from '../../budgets/budgets.ts';
import { jsonRoute, type Route } from '../route.ts';
import { quick } from './limits.ts';

export function budgetRoutes(budgets: Budgets): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/budgets',
      action: 'budget.list',
      summary: 'The budgets of the sessions that are alive, and what is taken of each.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.budgetList },
      handle: async () => ({ body: { budgets: await budgets.list() } }),
    }),
  ];
}
