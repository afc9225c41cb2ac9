import { createServer } from 'node:https';
import type { Grant } from '@cordon/policy';
import type { Entry, SecretBinding } from '@cordon/protocol';
import { WebSocketSink } from '@cordon/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayLimits } from '../src/limits.ts';
import { Rig, type RigOptions, session, upstreamCa } from './rig.ts';
import { dial } from './websocket-peers.ts';

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const url = 'wss://live.example/feed';
const granted: Grant = { allow: 'wss://live.example/feed' };
const action = 'http.message';

async function start(
  grants: readonly Grant[] = [granted],
  limits: Partial<GatewayLimits> = {},
  more: Partial<RigOptions> = {},
): Promise<{ rig: Rig; server: WebSocketSink }> {
  const server = await WebSocketSink.start(upstreamCa.issue(['live.example']));
  stack.push(server);
  const rig = await Rig.start({ grants, limits, hosts: { 'live.example:443': server.port }, ...more });
  stack.push(rig);
  return { rig, server };
}

const of = (entries: readonly Entry[], name: string) => entries.filter(({ data }) => data['action'] === name);
const coded = async (rig: Rig) =>
  (await rig.entriesOf('decision')).map(({ data }) => `${data['action']} ${data['code']}`);

/** How the handshake's own entry ended. */
async function ended(rig: Rig): Promise<Entry['data'] | undefined> {
  const [first] = of(await rig.entriesOf('decision'), 'http.upgrade');
  const find = async () =>
    (await rig.entriesOf('outcome')).find(({ data }) => data['attempt'] === first?.data['attempt'])?.data;
  await rig.until(async () => (await find()) !== undefined);
  return await find();
}

describe('a WebSocket', () => {
  it('passes messages both ways, each decided, recorded and ended in the ledger', async () => {
    const { rig, server } = await start();
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send('hello');
    client.socket.send(Buffer.from([0, 1, 2]));
    await client.until(() => client.messages.length === 2);
    expect(client.messages).toEqual(['hello', '\x00\x01\x02']);
    expect(server.received).toEqual(['hello', '\x00\x01\x02']);
    // Whoever watches the session sees what passes while it does.
    const stats = await rig.control?.call('stats', null);
    expect(stats?.sessions[0]).toMatchObject({ inFlight: 1, bytesOut: 8, bytesIn: 8 });
    const decisions = await rig.entriesOf('decision');
    expect(decisions.map(({ data }) => [data['action'], data['effect'], data['bytesOut'], data['resource']])).toEqual(
      expect.arrayContaining([
        ['http.upgrade', 'share', 0, 'https://live.example:443'],
        [action, 'share', 5, 'https://live.example:443'],
        [action, 'share', 3, 'https://live.example:443'],
        [action, 'read', 5, 'https://live.example:443'],
        [action, 'read', 3, 'https://live.example:443'],
      ]),
    );
    expect(decisions).toHaveLength(5);
    client.socket.close(1000, 'done');
    expect(await client.closed()).toMatchObject({ code: 1000 });
    await rig.until(() => server.closes.length === 1);
    // The reason is content of the agent, so it was decided about like a message.
    expect(server.closes).toEqual([{ code: 1000, reason: 'done' }]);
    expect(await ended(rig)).toMatchObject({ code: 'relayed', status: 101, address: '127.0.0.1' });
    const outcomes = await rig.entriesOf('outcome');
    expect(outcomes).toHaveLength(6);
    expect(new Set(outcomes.map(({ data }) => data['attempt'])).size).toBe(6);
  });

  it('records a message before it is passed on, never after', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let held = 0;
    const { rig, server } = await start(
      [granted],
      {},
      {
        journal: (journal) =>
          new Proxy(journal, {
            get(target, name) {
              const value: unknown = Reflect.get(target, name, target);
              if (name !== 'appendTogether') return typeof value === 'function' ? value.bind(target) : value;
              return async (drafts: Parameters<typeof journal.appendTogether>[0], tier: 'os' | 'disk') => {
                const recorded = await target.appendTogether(drafts, tier);
                if (drafts[0]?.data['action'] === action) {
                  held += 1;
                  await gate;
                }
                return recorded;
              };
            },
          }),
      },
    );
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send('hello');
    await rig.until(() => held === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.received).toEqual([]);
    release();
    await client.until(() => client.messages.length === 1);
    expect(server.received).toEqual(['hello']);
  });

  it('that no grant says is refused with a 403 that can be read, and nothing is dialled', async () => {
    const { rig, server } = await start([{ allow: 'live.example', methods: ['GET', 'POST'] }]);
    using client = await dial(rig, url);
    await client.closed();
    expect(client.status).toBe(403);
    expect(JSON.parse(client.body)).toMatchObject({ code: 'no-grant' });
    expect(client.body).toContain('--allow wss://live.example/feed');
    expect(server.requests).toEqual([]);
    expect(await coded(rig)).toEqual(['http.upgrade no-grant']);
  });

  it.each([
    ['another path', 'wss://live.example/other'],
    ['plain', 'ws://live.example/feed'],
  ])('granted for one place is refused at %s', async (_name, other) => {
    const { rig, server } = await start();
    using client = await dial(rig, other);
    await client.closed();
    expect(client.status).toBe(403);
    expect(server.requests).toEqual([]);
  });

  it.each([true, false])('is served in plain http where that is granted (socket :80: %s)', async (plain) => {
    const server = await WebSocketSink.start();
    stack.push(server);
    const rig = await Rig.start({
      grants: [{ allow: 'ws://live.example/feed' }],
      hosts: { 'live.example:80': server.port },
    });
    stack.push(rig);
    using client = await dial(rig, 'ws://live.example/feed', { plain });
    await client.opened();
    client.socket.send('x');
    await client.until(() => client.messages.length === 1);
    expect(await coded(rig)).toContain('http.message allowed');
  });

  it('negotiates a subprotocol, and no extension', async () => {
    const { rig, server } = await start();
    using client = await dial(rig, url, { protocols: ['chat', 'other'] });
    await client.opened();
    expect(client.socket.protocol).toBe('chat');
    expect(client.socket.extensions).toBe('');
    expect(server.requests[0]?.headers['sec-websocket-extensions']).toBeUndefined();
    expect(server.requests[0]?.headers['sec-websocket-protocol']).toBe('chat,other');
  });

  it('relays an answer that is no upgrade like any other', async () => {
    const body = 'x'.repeat(3_000_000);
    const plain = createServer(upstreamCa.issue(['live.example']), (_request, response) => response.end(body));
    plain.on('upgrade', (_request, socket) => {
      socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: ${body.length}\r\nX-Why: token\r\n\r\n${body}`);
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    const { port } = plain.address() as { port: number };
    const rig = await Rig.start({ grants: [granted], hosts: { 'live.example:443': port } });
    stack.push(rig, { [Symbol.asyncDispose]: () => new Promise((resolve) => plain.close(() => resolve())) });
    using client = await dial(rig, url);
    await client.closed();
    expect(client.status).toBe(401);
    expect(client.headers['x-why']).toBe('token');
    expect(client.body.length).toBe(body.length);
    expect(await ended(rig)).toMatchObject({ code: 'relayed', status: 401, bytesIn: body.length });
  });
});

describe('a message that is denied', () => {
  it('ends the WebSocket with 1008 and the code, and is not passed on', async () => {
    const { rig, server } = await start([{ ...granted, limits: { bytes: 8 } }]);
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send('short');
    await client.until(() => client.messages.length === 1);
    client.socket.send('far too long');
    expect(await client.closed()).toEqual({ code: 1008, reason: 'over-limit' });
    expect(server.received).toEqual(['short']);
    await rig.until(() => server.closes.length === 1);
    expect(server.closes[0]?.code).toBe(1008);
    expect(await ended(rig)).toMatchObject({ code: 'websocket-denied' });
    expect(await coded(rig)).toContain('http.message over-limit');
  });

  it('is one of the server too: what comes in is decided like what goes out', async () => {
    const { rig, server } = await start([{ ...granted, limits: { bytes: 12 } }]);
    using client = await dial(rig, url, { headers: { 'x-long': 'y'.repeat(40) } });
    await client.opened();
    client.socket.send('header:x-lon');
    await client.until(() => client.messages.length === 1);
    client.socket.send('header:x-long'.slice(0, 12));
    await client.until(() => client.messages.length === 2);
    for (const socket of server.open) socket.send('y'.repeat(13));
    expect(await client.closed()).toEqual({ code: 1008, reason: 'over-limit' });
    expect(client.messages).toHaveLength(2);
  });

  it('by the rate of its grant ends it as well', async () => {
    const { rig } = await start([{ ...granted, limits: { rate: '3/1h' } }]);
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send('1');
    client.socket.send('2');
    expect(await client.closed()).toEqual({ code: 1008, reason: 'rate-limited' });
  });

  it('by a close reason over the limit: the reason does not leave', async () => {
    const { rig, server } = await start([{ ...granted, limits: { bytes: 4 } }]);
    using client = await dial(rig, url);
    await client.opened();
    client.socket.close(4000, 'a secret in a reason');
    await client.closed();
    await rig.until(() => server.closes.length === 1);
    expect(server.closes).toEqual([{ code: 1008, reason: '' }]);
  });
});

describe('the end of a WebSocket', () => {
  it.each([
    ['close:1000:bye', { code: 1000, reason: 'bye' }, 'relayed'],
    ['close:4001:go', { code: 4001, reason: 'go' }, 'relayed'],
    ['drop', { code: 1011, reason: '' }, 'upstream-aborted'],
  ])('by the server with %s', async (what, closed, code) => {
    const { rig } = await start();
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send(what);
    expect(await client.closed()).toEqual(closed);
    expect(await ended(rig)).toMatchObject({ code });
  });

  it('by a client that is gone', async () => {
    const { rig, server } = await start();
    const client = await dial(rig, url);
    await client.opened();
    client.socket.terminate();
    await rig.until(() => server.closes.length === 1);
    expect(server.closes[0]?.code).toBe(1001);
    expect(await ended(rig)).toMatchObject({ code: 'client-gone' });
  });

  it('by a policy that no longer permits it: 1012', async () => {
    const { rig, server } = await start();
    using client = await dial(rig, url);
    await client.opened();
    await rig.setGrants([{ allow: 'live.example' }]);
    expect(await client.closed()).toEqual({ code: 1012, reason: 'no-longer-permitted' });
    await rig.until(() => server.closes.length === 1);
    expect(await ended(rig)).toMatchObject({ code: 'no-longer-permitted' });
  });

  it('not by a policy that still permits it', async () => {
    const { rig } = await start();
    using client = await dial(rig, url);
    await client.opened();
    await rig.setGrants([granted, { allow: 'x.example' }]);
    client.socket.send('still');
    await client.until(() => client.messages.length === 1);
  });

  it('by a stop, on both sides', async () => {
    const { rig, server } = await start();
    using client = await dial(rig, url);
    await client.opened();
    await rig.control?.call('session.stop', { session, stopped: true });
    await client.closed();
    await rig.until(() => server.open.size === 0);
    expect((await ended(rig))?.['code']).toBe('session-stopped');
    expect(rig.gateway.stats().inFlight).toBe(0);
  });

  it.each<[string, Partial<GatewayLimits>, Grant]>([
    ['websocket-idle', { websocketIdleMs: 60 }, granted],
    ['websocket-life', { websocketLifeMs: 60 }, granted],
    ['websocket-life', {}, { ...granted, limits: { life: '60ms' } }],
  ])('%s: 1001', async (code, limits, grant) => {
    const { rig } = await start([grant], limits);
    using client = await dial(rig, url);
    expect(await client.closed()).toEqual({ code: 1001, reason: code });
    expect(await ended(rig)).toMatchObject({ code });
  });

  it('is not brought about by silence while our pings are answered', async () => {
    const { rig } = await start([granted], { websocketPingMs: 10 });
    using client = await dial(rig, url);
    await client.opened();
    await client.until(() => client.pings.length >= 3);
    client.socket.send('still');
    await client.until(() => client.messages.length === 1);
    expect(await coded(rig)).toHaveLength(3);
  });
});

describe('a slow reader', () => {
  it('holds its own server back, and is cut when it reads nothing', async () => {
    const { rig, server } = await start([granted], { slowReaderMs: 300, websocketMessagesPerSecondMax: 100_000 });
    using client = await dial(rig, url);
    await client.opened();
    client.socket.pause();
    const [far] = server.open;
    const chunk = Buffer.alloc(512 * 1024);
    let sent = 0;
    const pump = (): void => {
      if (far === undefined || far.readyState !== far.OPEN || sent > 512) return;
      far.send(chunk, pump);
      sent += 1;
    };
    pump();
    expect(await ended(rig)).toMatchObject({ code: 'slow-reader' });
    // What fits into buffers of the kernel and ours, never all that the server has.
    expect(sent).toBeLessThan(200);
  });
});

describe('a secret and a WebSocket', () => {
  const value = 'sk-real-value-0123456789';
  const binding: SecretBinding = {
    name: 'api',
    to: ['https://live.example'],
    at: { header: 'authorization', form: 'Bearer {}' },
    methods: null,
    paths: null,
    require: false,
  };

  it('is injected into the handshake, and taken out of messages that repeat it', async () => {
    // What a credential opens is private, and so is what is said afterwards.
    const cleared: Grant = { ...granted, clearance: 'private' };
    const { rig, server } = await start([cleared], {}, { secrets: [binding] });
    using client = await dial(rig, url, { headers: { authorization: 'Bearer cordon:secret:api' } });
    await client.opened();
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${value}`);
    client.socket.send('header:authorization');
    await client.until(() => client.messages.length === 1);
    expect(client.messages[0]).toBe('Bearer cordon:secret:api');
    for (const socket of server.open) socket.send(Buffer.from(`\x00${Buffer.from(value).toString('base64')}\x01`));
    await client.until(() => client.messages.length === 2);
    expect(client.messages[1]).not.toContain(Buffer.from(value).toString('base64').slice(4, -4));
    for (const socket of server.open) socket.close(4000, value);
    expect((await client.closed()).reason).toBe('cordon:secret:api');
    const texts = JSON.stringify(await rig.entries());
    expect(texts).not.toContain(value);
    expect(
      (await rig.entriesOf('outcome')).filter(({ data }) => JSON.stringify(data['scrubbed']) === '["api"]'),
    ).toHaveLength(4);
  });

  it('is never put into a message', async () => {
    const { rig, server } = await start([granted], {}, { secrets: [binding] });
    using client = await dial(rig, url);
    await client.opened();
    client.socket.send('Bearer cordon:secret:api');
    await client.until(() => client.messages.length === 1);
    expect(server.received).toEqual(['Bearer cordon:secret:api']);
    expect(rig.leases).toEqual([]);
  });

  it.each<[string, string, Record<string, string>]>([
    ['another header', url, { 'x-other': 'cordon:secret:api' }],
    ['the query', `${url}?token=cordon:secret:api`, {}],
  ])('is refused in %s', async (_name, where, headers) => {
    const { rig, server } = await start([granted], {}, { secrets: [binding] });
    using client = await dial(rig, where, { headers });
    await client.closed();
    expect(client.status).toBe(403);
    expect(JSON.parse(client.body)).toMatchObject({ code: 'secret-misplaced' });
    expect(server.requests).toEqual([]);
  });
});
