import { parseApproval } from '@cordon/policy';
import type { api as Api } from '@cordon/protocol';
import { type HeldIntent, isId } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { HoldStore, StoredAnswer, StoredHold } from '@cordon/store';
import { z } from 'zod';
import type { Approvals } from '../../approvals/approvals.ts';
import type { ApprovedRequest, Earlier } from '../../approvals/earlier.ts';
import { refusal } from '../../error.ts';
import type { SessionFeed } from '../../sessions/feed.ts';
import { flag, pageQuery, wordList } from '../page.ts';
import { type ApiEvent, type ApiRequest, jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export interface ApprovalRouteParts {
  readonly approvals: Approvals;
  readonly store: HoldStore;
  readonly earlier: Pick<Earlier, 'read'>;
  /** Ids of holds that changed. */
  readonly feed: SessionFeed;
}

const states = ['open', 'approved', 'used', 'denied', 'expired', 'void'] as const;

const listQuery = z.strictObject({
  ...pageQuery,
  session: z.string().max(64).optional(),
  state: wordList(states),
  follow: flag,
});
type ListQuery = z.output<typeof listQuery>;

/** Questions to people. A verdict is a signed record; there is no other way to give one. */
export function approvalRoutes({ approvals, store, earlier, feed }: ApprovalRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/approvals',
      action: 'approval.list',
      summary: 'What waits, or waited, for people, newest first; with follow=true what waits now and every change.',
      limits: quick,
      query: listQuery,
      body: null,
      answer: { status: 200, schema: api.approvalPage },
      follow: (request) => followHolds(request, store, feed),
      handle: async ({ query }) => {
        const { items, next } = await store.list(query);
        return { body: { approvals: items.map(toHeld), next } };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/approvals/{id}',
      action: 'approval.read',
      summary: 'One question whole: the record that an answer signs, and everything that it is about.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.heldDetail },
      handle: async ({ path }) => {
        const hold = await store.get(holdId(path['id']));
        if (hold === null) throw refusal('not-found', `there is no hold ${path['id']}`, ['cordon approvals']);
        const named = hold.view?.before ?? null;
        const before = named === null ? null : await earlier.read(named.hold);
        return { body: toDetail(hold, before), etag: etagOf(hold) };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/approvals/{id}/verdicts',
      action: 'approval.answer',
      summary: 'One person’s signed yes or no.',
      limits: change,
      query: null,
      body: api.verdictRequest,
      answer: { status: 201, schema: api.heldIntent },
      creates: true,
      handle: async ({ path, body, ifMatch }) => {
        const hold = await approvals.answer(holdId(path['id']), body.envelope, body.reason, ifMatch);
        return { body: toHeld(hold), etag: etagOf(hold) };
      },
    }),
  ];
}

async function* followHolds(
  { query, signal }: ApiRequest<ListQuery, unknown>,
  store: HoldStore,
  feed: SessionFeed,
): AsyncGenerator<ApiEvent> {
  // Follow first, read then: what changes meanwhile is shown twice, never missed.
  const changes = feed.follow(signal);
  const first = changes.next();
  const { items } = await store.list({ state: ['open', 'approved'], session: query.session, limit: 500 });
  for (const hold of [...items].reverse()) yield* toEvent(hold, query);
  for (let step = await first; step.done !== true; step = await changes.next()) {
    yield* toEvent(await store.get(step.value), query);
  }
}

function* toEvent(hold: StoredHold | null, { session, state }: ListQuery): Generator<ApiEvent> {
  if (hold === null || (session !== undefined && hold.session !== session)) return;
  if (state !== undefined && !state.includes(hold.state)) return;
  yield { event: 'hold', id: `${hold.record.id}/${hold.version}`, data: toHeld(hold) };
}

function toHeld(hold: StoredHold): HeldIntent {
  const { record, session, agent, state, at, used, reason, summary } = hold;
  const { id, expires, rung } = record;
  const groups = [...record.groups];
  const answers = hold.answers.flatMap(toAnswer);
  return { id, state, session, agent, summary, at, expires, rung, groups, used, reason, answers, etag: etagOf(hold) };
}

function toDetail(hold: StoredHold, before: ApprovedRequest | null): z.infer<typeof Api.heldDetail> {
  const { record, view } = hold;
  return {
    hold: toHeld(hold),
    record: { ...record, groups: [...record.groups] },
    view: view as unknown as z.infer<typeof Api.holdView> | null,
    before: before as unknown as z.infer<typeof Api.approvedBefore> | null,
  };
}

/** For people to read; nothing is decided by it, so the signature is not looked at here. */
function toAnswer({ envelope, at, flags = [] }: StoredAnswer): HeldIntent['answers'] {
  const { payload } = envelope as { readonly payload?: unknown };
  const record = typeof payload === 'string' ? parseApproval(Buffer.from(payload, 'base64')) : null;
  return record === null ? [] : [{ person: record.person, verdict: record.verdict, at, flags: [...flags] }];
}

const etagOf = ({ version }: StoredHold): string => `"v${version}"`;

function holdId(text: string | undefined): string {
  if (text !== undefined && isId('hold', text)) return text;
  throw refusal('not-found', `${JSON.stringify(text)} is no id of a hold`, ['cordon approvals']);
}
