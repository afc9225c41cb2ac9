import { isId } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { SessionStore, StoredSession } from '@cordon/store';
import { z } from 'zod';
import { openStream } from '../../attach/stream.ts';
import { refusal } from '../../error.ts';
import type { SessionFeed } from '../../sessions/feed.ts';
import type { Proposals } from '../../sessions/proposals.ts';
import { quoteEtag, type SessionRegistry } from '../../sessions/registry.ts';
import type { Sessions } from '../../sessions/sessions.ts';
import { toSession } from '../../sessions/view.ts';
import { flag, pageQuery, wordList } from '../page.ts';
import { type ApiEvent, type ApiRequest, jsonRoute, type Route, upgradeRoute } from '../route.ts';
import { change, large, quick, slow } from './limits.ts';

export interface SessionRouteParts {
  readonly sessions: Sessions;
  readonly proposals: Proposals;
  readonly store: SessionStore;
  readonly registry: SessionRegistry;
  readonly feed: SessionFeed;
  /** `stream.sock` of the supervisor. */
  readonly streamSocket: string;
}

const listQuery = z.strictObject({
  ...pageQuery,
  state: wordList(['starting', 'running', 'frozen', 'ended']),
  agent: z.string().max(63).optional(),
  follow: flag,
});
type ListQuery = z.output<typeof listQuery>;

const attachQuery = z.strictObject({ offset: z.coerce.number().int().min(0).default(0) });

export function sessionRoutes(parts: SessionRouteParts): Route[] {
  return [...lifeRoutes(parts), ...streamRoutes(parts), ...proposalRoutes(parts)];
}

function lifeRoutes({ sessions, store, registry, feed }: SessionRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'POST',
      path: '/v1/sessions',
      action: 'session.create',
      summary: 'Starts an agent in a boundary; answers when it runs.',
      limits: large,
      query: null,
      body: api.sessionRequest,
      answer: { status: 201, schema: api.session },
      creates: true,
      handle: async ({ body, caller }) => {
        const stored = await sessions.create(body, caller);
        return { body: toSession(stored), etag: quoteEtag(stored.etag), location: `/v1/sessions/${stored.id}` };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/sessions',
      action: 'session.list',
      summary: 'Sessions, newest first; with follow=true a stream of those that are alive and of every change.',
      limits: quick,
      query: listQuery,
      body: null,
      answer: { status: 200, schema: api.sessionPage },
      follow: (request) => followSessions(request, { store, registry, feed }),
      handle: async ({ query }) => {
        const { limit, cursor, state, agent } = query;
        const page = await store.list({ limit, cursor, state, agent });
        return { body: { sessions: page.items.map(toSession), next: page.next } };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/sessions/{id}',
      action: 'session.get',
      summary: 'One session.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.session },
      handle: async ({ path }) => {
        const stored = await sessions.get(sessionId(path['id']));
        return { body: toSession(stored), etag: quoteEtag(stored.etag) };
      },
    }),
  ];
}

function streamRoutes({ sessions, streamSocket }: SessionRouteParts): Route[] {
  return [
    upgradeRoute({
      method: 'GET',
      path: '/v1/sessions/{id}/attach',
      action: 'session.attach',
      summary: 'Input, output, signals and window size of the agent, from an output offset on.',
      limits: quick,
      protocol: 'cordon-attach/1',
      query: attachQuery,
      handle: async ({ path, query }) => {
        const { id } = await sessions.get(sessionId(path['id']));
        return await openStream(streamSocket, id, null, query.offset);
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/sessions/{id}/exec',
      action: 'session.exec',
      summary: 'A further command under the same restrictions.',
      limits: change,
      query: null,
      body: api.execRequest,
      answer: { status: 201, schema: api.execAnswer },
      creates: true,
      handle: async ({ path, body, caller, ifMatch }) => ({
        body: { id: await sessions.exec(sessionId(path['id']), body, caller, ifMatch) },
      }),
    }),
    upgradeRoute({
      method: 'GET',
      path: '/v1/sessions/{id}/exec/{exec}/attach',
      action: 'exec.attach',
      summary: 'Input and output of a further command.',
      limits: quick,
      protocol: 'cordon-attach/1',
      query: attachQuery,
      handle: async ({ path, query }) => {
        const { id } = await sessions.get(sessionId(path['id']));
        const exec = path['exec'] ?? '';
        if (!isId('exec', exec)) throw refusal('not-found', 'no such command');
        return await openStream(streamSocket, id, exec, query.offset);
      },
    }),
  ];
}

function proposalRoutes({ proposals }: SessionRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/sessions/{id}/changes',
      action: 'proposal.list',
      summary: 'What the session changed in its workspace.',
      limits: slow,
      query: null,
      body: null,
      answer: { status: 200, schema: api.changeList },
      handle: async ({ path }) => ({ body: { changes: await proposals.changes(sessionId(path['id'])) } }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/sessions/{id}/apply',
      action: 'proposal.apply',
      summary: 'Brings changes into the workspace; protected paths only by name.',
      limits: slow,
      query: null,
      body: api.applyRequest,
      answer: { status: 200, schema: api.applyAnswer },
      handle: async ({ path, body, caller, ifMatch }) => ({
        body: await proposals.apply(sessionId(path['id']), body, caller, ifMatch),
      }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/sessions/{id}/discard',
      action: 'proposal.discard',
      summary: 'Throws the changes away.',
      limits: slow,
      query: null,
      body: api.done,
      answer: { status: 200, schema: api.done },
      handle: async ({ path, caller, ifMatch }) => {
        await proposals.discard(sessionId(path['id']), caller, ifMatch);
        return { body: {} };
      },
    }),
  ];
}

async function* followSessions(
  request: ApiRequest<ListQuery, unknown>,
  parts: Pick<SessionRouteParts, 'store' | 'registry' | 'feed'>,
): AsyncGenerator<ApiEvent> {
  const { agent } = request.query;
  // Follow first, read then: what changes meanwhile is shown twice, never missed.
  const changes = parts.feed.follow(request.signal);
  const first = changes.next();
  for (const id of parts.registry.ids()) yield* toEvent(await parts.store.get(id), agent);
  for (let step = await first; step.done !== true; step = await changes.next()) {
    yield* toEvent(await parts.store.get(step.value), agent);
  }
}

function* toEvent(stored: StoredSession | null, agent: string | undefined): Generator<ApiEvent> {
  if (stored === null || (agent !== undefined && stored.agent !== agent)) return;
  yield { event: 'session', id: `${stored.id}/${stored.etag}`, data: toSession(stored) };
}

function sessionId(text: string | undefined): string {
  if (text !== undefined && isId('session', text)) return text;
  throw refusal('not-found', `${JSON.stringify(text)} is no session id`, ['cordon ps']);
}
