import { parseEndorsement } from '@cordon/policy';
import { type Endorsement, isId } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { EndorsementStore, StoredAnswer, StoredEndorsement } from '@cordon/store';
import { z } from 'zod';
import type { Endorsements } from '../../endorsements/endorsements.ts';
import { refusal } from '../../error.ts';
import type { SessionFeed } from '../../sessions/feed.ts';
import { flag, pageQuery, wordList } from '../page.ts';
import { type ApiEvent, type ApiRequest, jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export interface EndorsementRouteParts {
  readonly endorsements: Endorsements;
  readonly store: EndorsementStore;
  /** Ids of endorsements that changed. */
  readonly feed: SessionFeed;
}

const states = ['open', 'active', 'used', 'expired', 'withdrawn', 'void'] as const;
const listQuery = z.strictObject({ ...pageQuery, state: wordList(states), follow: flag });
type ListQuery = z.output<typeof listQuery>;

/** Destinations that people have named for a time. To make one takes a signature; to end one does not. */
export function endorsementRoutes({ endorsements, store, feed }: EndorsementRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/approvals/{id}/endorsements',
      action: 'endorsement.sign',
      summary: 'One person’s signed word that whoever would get this, or a range around it, is meant for a time.',
      limits: change,
      query: null,
      body: api.endorsementRequest,
      answer: { status: 201, schema: api.endorsement },
      creates: true,
      handle: async ({ path, body }) => {
        const made = await endorsements.sign(idOf('hold', path['id']), body.envelope);
        return { body: toEndorsement(made), etag: etagOf(made), location: `/v1/endorsements/${made.terms.id}` };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/endorsements',
      action: 'endorsement.list',
      summary: 'Endorsements and what is left of each, newest first; with follow=true those in force and every change.',
      limits: quick,
      query: listQuery,
      body: null,
      answer: { status: 200, schema: api.endorsementPage },
      follow: (request) => follow(request, store, feed),
      handle: async ({ query }) => {
        const { items, next } = await store.list(query);
        return { body: { endorsements: items.map(toEndorsement), next } };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/endorsements/{id}',
      action: 'endorsement.read',
      summary: 'One endorsement.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.endorsement },
      handle: async ({ path }) => {
        const found = await store.get(idOf('endorsement', path['id']));
        if (found === null) throw unknown(path['id']);
        return { body: toEndorsement(found), etag: etagOf(found) };
      },
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/endorsements/{id}',
      action: 'endorsement.withdraw',
      summary: 'Ends it: nothing more goes out by it.',
      limits: change,
      query: null,
      body: null,
      answer: { status: 200, schema: api.endorsement },
      handle: async ({ path, caller }) => {
        const ended = await endorsements.withdraw(idOf('endorsement', path['id']), caller);
        return { body: toEndorsement(ended) };
      },
    }),
  ];
}

async function* follow(
  { query: { state }, signal }: ApiRequest<ListQuery, unknown>,
  store: EndorsementStore,
  feed: SessionFeed,
): AsyncGenerator<ApiEvent> {
  // Follow first, read then: what changes meanwhile is shown twice, never missed.
  const changes = feed.follow(signal);
  const first = changes.next();
  const toEvent = function* (found: StoredEndorsement | null): Generator<ApiEvent> {
    if (found === null || (state !== undefined && !state.includes(found.state))) return;
    yield { event: 'endorsement', id: `${found.terms.id}/${found.version}`, data: toEndorsement(found) };
  };
  for (const found of await store.live()) yield* toEvent(found);
  for (let step = await first; step.done !== true; step = await changes.next()) {
    yield* toEvent(await store.get(step.value));
  }
}

function toEndorsement(stored: StoredEndorsement): Endorsement {
  const { terms, hold, session, agent, state, at, used, reason } = stored;
  return {
    ...{ id: terms.id, state, session, agent, at, reason, rung: hold.rung, used: { ...used }, etag: etagOf(stored) },
    terms: { ...terms, destinations: [...terms.destinations], scope: { ...terms.scope } },
    signed: stored.signed.flatMap(toSigned),
  };
}

/** For people to read; nothing is decided by it, so the signature is not looked at here. */
function toSigned({ envelope, at }: StoredAnswer): Endorsement['signed'] {
  const { payload } = envelope as { readonly payload?: unknown };
  const record = typeof payload === 'string' ? parseEndorsement(Buffer.from(payload, 'base64')) : null;
  return record === null ? [] : [{ person: record.person, at }];
}

const etagOf = ({ version }: StoredEndorsement): string => `"v${version}"`;

function idOf(kind: 'hold' | 'endorsement', text: string | undefined): string {
  if (text !== undefined && isId(kind, text)) return text;
  throw unknown(text);
}

function unknown(text: string | undefined) {
  return refusal('not-found', `there is no ${JSON.stringify(text)}`, ['cordon approvals', 'cordon endorsements list']);
}
