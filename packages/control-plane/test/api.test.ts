import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { checkRoutes, type Route } from '../src/index.ts';
import { Harness } from './harness.ts';

describe('the route table', () => {
  const good = {
    kind: 'json',
    method: 'GET',
    path: '/v1/things',
    action: 'thing.list',
    summary: '',
    limits: { bodyBytesMax: 0, concurrentMax: 1, timeoutMs: 1 },
    query: null,
    body: null,
    creates: false,
    follow: null,
  } as unknown as Route;

  test('a route without action, without limits, or defined twice does not start', () => {
    expect(() => checkRoutes([good])).not.toThrow();
    const broken: Partial<Record<keyof Route, unknown>>[] = [
      { action: undefined },
      { action: 'Thing' },
      { limits: undefined },
      { limits: { bodyBytesMax: 1, concurrentMax: 1 } },
      { limits: { bodyBytesMax: 1, concurrentMax: Number.POSITIVE_INFINITY, timeoutMs: 1 } },
      { path: '/things' },
    ];
    for (const change of broken) {
      expect(() => checkRoutes([{ ...good, ...change } as Route])).toThrowError(
        expect.objectContaining({ code: 'route-invalid' }),
      );
    }
    const twice = [
      { ...good, path: '/v1/things/{id}' },
      { ...good, path: '/v1/things/{name}' },
    ] as Route[];
    expect(() => checkRoutes(twice)).toThrowError(/twice/);
  });
});

describe('a request', () => {
  test('is refused as a problem when anything in it is not as described', async () => {
    await using harness = await Harness.start();
    const json = { 'content-type': 'application/json' };
    const cases: Array<[string, string, unknown, Record<string, string>, number, string]> = [
      ['GET', '/v1/nothing', undefined, {}, 404, 'not-found'],
      ['GET', '/v2/status', undefined, {}, 404, 'not-found'],
      ['DELETE', '/v1/status', undefined, {}, 405, 'method-not-allowed'],
      ['POST', '/v1/sessions', '{"command":', json, 400, 'request-invalid'],
      ['POST', '/v1/sessions', '{}', { 'content-type': 'text/plain' }, 415, 'media-type'],
      ['POST', '/v1/sessions', JSON.stringify({ pad: 'x'.repeat(1024 * 1024) }), json, 413, 'body-too-large'],
      ['GET', '/v1/sessions?limit=0', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?limit=501', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?limit=2&limit=3', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?folow=true', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?follow=yes', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?state=alive', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/sessions?cursor=abc', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/status?x=1', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/status', 'body', json, 413, 'body-too-large'],
      ['POST', '/v1/stops', { scope: { everything: true }, strength: 'kill' }, {}, 400, 'request-invalid'],
      ['POST', '/v1/stops', { scope: { all: true }, strength: 'fence' }, {}, 400, 'request-invalid'],
      ['GET', '/v1/ledger/proof', undefined, {}, 400, 'request-invalid'],
      ['GET', '/v1/ledger/proof?index=999999', undefined, {}, 404, 'not-found'],
      ['GET', '/v1/decisions/att_none', undefined, {}, 404, 'not-found'],
      ['GET', '/v1/sessions/ses_00000000000000000000000000/attach', undefined, {}, 426, 'upgrade-required'],
    ];
    for (const [method, target, body, headers, status, code] of cases) {
      const reply = await harness.send(method, target, body, headers);
      expect([reply.status, reply.json?.code], `${method} ${target}`).toEqual([status, code]);
      expect(reply.headers['content-type']).toBe('application/problem+json');
      expect(reply.json).toMatchObject({ type: `urn:cordon:problem:${code}`, status });
      expect(Array.isArray(reply.json.next_steps)).toBe(true);
    }
    expect((await harness.send('DELETE', '/v1/status')).headers.allow).toBe('GET');
    expect(harness.lines.filter((line) => line.includes('fault'))).toEqual([]);
  });

  test('that is no HTTP, or upgrades to something else, leaves the server well', async () => {
    await using harness = await Harness.start();
    const raw = (text: string) =>
      new Promise<string>((resolve) => {
        const socket = connect({ path: harness.api });
        let got = '';
        socket.on('data', (chunk: Buffer) => {
          got += chunk.toString();
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(got));
        socket.end(text);
      });
    await raw('\x16\x03\x01\x02\x00');
    await raw('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    const upgrade = 'connection: upgrade\r\nhost: x\r\n';
    expect(
      await raw(
        `GET /v1/sessions/ses_00000000000000000000000000/attach HTTP/1.1\r\n${upgrade}upgrade: websocket\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1.1 426/);
    expect(
      await raw(
        `GET /v1/sessions/ses_00000000000000000000000000/attach HTTP/1.1\r\n${upgrade}upgrade: cordon-attach/1\r\n\r\n`,
      ),
    ).toMatch(/^HTTP\/1.1 404/);
    expect(await raw(`GET /v1/status HTTP/1.1\r\n${upgrade}upgrade: cordon-attach/1\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 404/,
    );
    expect((await harness.get('/v1/status')).status).toBe(200);
  });

  test('with an Idempotency-Key happens once', async () => {
    await using harness = await Harness.start();
    const order = harness.order();
    const key = { 'idempotency-key': 'one' };
    const [first, second] = await Promise.all([
      harness.post('/v1/sessions', order, key),
      harness.post('/v1/sessions', order, key),
    ]);
    const third = await harness.post('/v1/sessions', order, key);
    expect(new Set([first, second, third].map((reply) => reply.json.id)).size).toBe(1);
    expect([first, second, third].filter((reply) => reply.headers['idempotent-replayed'] === 'true')).toHaveLength(2);
    expect(harness.supervisor.orders).toHaveLength(1);
    const other = await harness.post('/v1/sessions', harness.order({ name: 'x' }), key);
    expect([other.status, other.json.code]).toEqual([422, 'idempotency-mismatch']);
    expect((await harness.post('/v1/sessions', order, { 'idempotency-key': 'a b' })).status).toBe(400);
    // A refusal is not kept: the same key may be tried again once the cause is mended.
    const bad = harness.order({ profile: 'nobody' });
    expect((await harness.post('/v1/sessions', bad, { 'idempotency-key': 'two' })).status).toBe(422);
    expect(
      (await harness.post('/v1/sessions', bad, { 'idempotency-key': 'two' })).headers['idempotent-replayed'],
    ).toBeUndefined();
    await harness.close();
    await harness.open();
    expect((await harness.post('/v1/sessions', order, key)).json.id).toBe(first.json.id);
    expect(harness.supervisor.orders).toHaveLength(1);
  });

  test('for a list is answered in pages, newest first', async () => {
    await using harness = await Harness.start();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift((await harness.post('/v1/sessions', harness.order())).json.id);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await harness.get(`/v1/sessions?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      seen.push(...page.json.sessions.map((session: { id: string }) => session.id));
      cursor = page.json.next;
    }
    expect(seen).toEqual(ids);
    expect((await harness.get('/v1/sessions?state=ended,frozen')).json.sessions).toEqual([]);
    expect((await harness.get('/v1/sessions?agent=nobody')).json.sessions).toEqual([]);
  });
});

describe('the description', () => {
  test('covers every route that answers, and every route that it covers answers', async () => {
    await using harness = await Harness.start();
    const { json } = await harness.get('/v1/openapi.json');
    expect(json.openapi).toBe('3.1.0');
    const operations = Object.entries(
      json.paths as Record<string, Record<string, { operationId: string; 'x-cordon-limits': object }>>,
    ).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
    );
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      [
        'DELETE /v1/endorsements/{id}',
        'GET /v1/endorsements',
        'GET /v1/endorsements/{id}',
        'POST /v1/approvals/{id}/endorsements',
        'DELETE /v1/people/{name}',
        'DELETE /v1/secrets/{name}',
        'GET /v1/breakers',
        'GET /v1/approvals',
        'GET /v1/approvals/{id}',
        'GET /v1/budgets',
        'GET /v1/decisions',
        'GET /v1/decisions/{attempt}',
        'GET /v1/doctor',
        'GET /v1/ledger/checkpoint',
        'GET /v1/ledger/entries',
        'GET /v1/ledger/key',
        'GET /v1/ledger/proof',
        'GET /v1/openapi.json',
        'GET /v1/keys',
        'GET /v1/people',
        'GET /v1/policy',
        'GET /v1/refusals',
        'GET /v1/secrets',
        'GET /v1/sessions',
        'GET /v1/sessions/{id}',
        'GET /v1/sessions/{id}/attach',
        'GET /v1/sessions/{id}/changes',
        'GET /v1/sessions/{id}/exec/{exec}/attach',
        'GET /v1/sessions/{id}/policy',
        'GET /v1/stats',
        'GET /v1/status',
        'GET /v1/stops',
        'GET /v1/whoami',
        'POST /v1/breakers/reset',
        'POST /v1/ledger/shred',
        'POST /v1/approvals/{id}/verdicts',
        'POST /v1/lifts',
        'POST /v1/people',
        'DELETE /v1/policy/shadow',
        'GET /v1/policy/generations',
        'GET /v1/policy/shadow',
        'GET /v1/policy/trust',
        'POST /v1/policy/activate',
        'POST /v1/policy/check',
        'POST /v1/policy/diff',
        'POST /v1/policy/inspect',
        'POST /v1/policy/pack',
        'POST /v1/policy/replay',
        'PUT /v1/people/{name}/groups',
        'PUT /v1/policy/shadow',
        'PUT /v1/policy/trust',
        'POST /v1/policy/reload',
        'POST /v1/policy/suggest',
        'POST /v1/policy/test',
        'POST /v1/sessions',
        'POST /v1/sessions/{id}/apply',
        'POST /v1/sessions/{id}/discard',
        'POST /v1/sessions/{id}/exec',
        'POST /v1/shutdown',
        'POST /v1/stops',
        'PUT /v1/secrets/{name}',
      ].sort(),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, method, 'x-cordon-limits': limits } of operations) {
      expect(Object.keys(limits)).toEqual(['bodyBytesMax', 'concurrentMax', 'timeoutMs']);
      const target = path.replace(/\{[a-z]+\}/g, 'x');
      const reply = await harness.send(method === 'POST' || method === 'PUT' ? 'PATCH' : method, target);
      // Every described path is a path of the table: whatever the answer, it is not "no such address".
      expect(reply.json?.detail ?? '').not.toBe('no such address');
    }
    const created = json.paths['/v1/sessions'].post;
    expect(created.requestBody.content['application/json'].schema.properties.command.type).toBe('array');
    expect(created.requestBody.content['application/json'].schema.additionalProperties).toBe(false);
    expect(json.components.schemas.Problem.required).toContain('next_steps');
    for (const name of created.requestBody.content['application/json'].schema.required)
      expect(['command', 'workspace']).toContain(name);
  });
});

describe('the daemon', () => {
  test('says how it is, and ends when asked', async () => {
    await using harness = await Harness.start();
    const status = await harness.get('/v1/status');
    expect(status.json).toMatchObject({
      version: '0.0.0-test',
      pid: process.pid,
      sessions: { running: 0, frozen: 0 },
      warnings: [],
    });
    expect((await harness.get('/v1/doctor')).json.capabilities[0].name).toBe('landlock');
    const reply = await harness.post('/v1/shutdown');
    expect([reply.status, harness.shutdowns]).toEqual([202, 1]);
    const { id } = (await harness.post('/v1/sessions', harness.order())).json;
    await harness.close();
    expect(harness.supervisor.sessions.get(id)?.exit?.reason).toBe('killed');
    expect(harness.supervisor.calls.at(-1)?.method).toBe('shutdown');
    await harness.open();
    expect((await harness.get(`/v1/sessions/${id}`)).json.state).toBe('ended');
  });
});
