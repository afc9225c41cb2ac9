import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import type { Journal } from '@cordon/ledger';
import type { Grant } from '@cordon/policy';
import { HttpSink, LineSink } from '@cordon/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, connectThrough, RawClient } from './client.ts';
import { Rig, type RigOptions, session, startOf, upstreamCa } from './rig.ts';

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

const person = ['root'];
/** A trusted workspace that holds private data. */
const vouched = { integrity: 2, confidentiality: 2, readers: person, sources: ['workspace'] } as const;
const trusted = startOf(vouched);
const news: Grant = { allow: 'news.example' };
/** A pattern lets the name be chosen, so only who has read nothing of strangers may choose it. */
const drop: Grant = { allow: '*.corp.example', methods: ['POST'], clearance: 'private' };
const model: Grant = { allow: 'model.example', methods: ['POST'], clearance: 'private', yields: 'derived' };
const names = ['news.example', 'drop.corp.example', 'model.example'];

async function start(more: Partial<RigOptions> = {}): Promise<{ rig: Rig; sink: HttpSink }> {
  const sink = await HttpSink.start({ tls: upstreamCa.issue(names) });
  stack.push(sink);
  const hosts = Object.fromEntries(names.map((name) => [`${name}:443`, sink.port]));
  const rig = await Rig.start({
    grants: [news, drop, model],
    start: trusted,
    // Nobody answers here.
    limits: { holdWaitMs: 1 },
    ...more,
    hosts: { ...hosts, ...more.hosts },
  });
  stack.push(rig);
  return { rig, sink };
}

/** Another gateway on what this one has left behind. */
async function crashed(rig: Rig): Promise<{ rig: Rig; sink: HttpSink }> {
  await rig.stop();
  const { home } = rig;
  stack[stack.indexOf(rig)] = { [Symbol.asyncDispose]: () => rm(home, { recursive: true }) };
  return await start({ home });
}

async function ask(rig: Rig, host: string, request: string, body = '', id = session): Promise<Answer> {
  const { proxy } = rig.portsOf(id);
  using client = await connectThrough(proxy, { target: `${host}:443`, ca: rig.ca.certificate });
  const length = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  return await client.ask(`${request} HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n${body}`);
}

const read = (rig: Rig, id?: string) => ask(rig, 'news.example', 'GET /', '', id);
const send = (rig: Rig, id?: string) => ask(rig, 'drop.corp.example', 'POST /', '{"note":"private"}', id);
const think = (rig: Rig) => ask(rig, 'model.example', 'POST /', '{"prompt":"private"}');

/** Why the newest decision was no allow; the agent is told that a person could agree. */
async function why(rig: Rig, answer: Answer): Promise<unknown> {
  expect(answer).toMatchObject({ status: 403, json: { code: 'hold-pending' } });
  const last = (await rig.entriesOf('decision')).at(-1)?.data;
  expect(last?.['outcome']).toBe('hold');
  return last?.['code'];
}

async function levels(rig: Rig): Promise<unknown[]> {
  return (await rig.entriesOf('label')).map(({ data }) => {
    const { integrity, confidentiality } = data['after'] as { integrity: number; confidentiality: number };
    return [data['cause'] === 'start' ? 'start' : 'answer', integrity, confidentiality];
  });
}

describe('what a session has seen', () => {
  it('is what it started with, until an answer of strangers: then private data goes to what a person named', async () => {
    const { rig, sink } = await start();
    expect(await send(rig)).toMatchObject({ status: 200 });
    // The answer of that place was anybody's already.
    expect(await why(rig, await send(rig))).toBe('flow-R3');
    expect(sink.requests).toHaveLength(1);
    expect(await levels(rig)).toEqual([
      ['start', 2, 2],
      ['answer', 0, 2],
    ]);
  });

  it('is worth no more than the session for what a model says, and no less', async () => {
    const { rig } = await start();
    expect(await think(rig)).toMatchObject({ status: 200 });
    expect(await send(rig)).toMatchObject({ status: 200 });
    expect((await levels(rig)).slice(0, 2)).toEqual([
      ['start', 2, 2],
      ['answer', 1, 2],
    ]);
    // A model that was told what strangers wrote says what strangers wrote.
    expect(await think(rig)).toMatchObject({ status: 200 });
    expect((await levels(rig)).at(-1)).toEqual(['answer', 0, 2]);
  });

  it('is recorded before the first byte of the answer reaches the agent', async () => {
    let held: (() => void) | null = null;
    const slow = (journal: Journal): Journal =>
      new Proxy(journal, {
        get: (target, name) => {
          if (name !== 'append') {
            const value: unknown = Reflect.get(target, name);
            return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
          }
          return async (draft: Parameters<Journal['append']>[0], tier: Parameters<Journal['append']>[1]) => {
            if (draft.type === 'label' && draft.data['cause'] !== 'start') {
              await new Promise<void>((resolve) => {
                held = resolve;
              });
            }
            return await target.append(draft, tier);
          };
        },
      });
    const { rig, sink } = await start({ journal: slow });
    using client = await connectThrough(rig.ports.proxy, { target: 'news.example:443', ca: rig.ca.certificate });
    client.send('GET / HTTP/1.1\r\nHost: news.example\r\n\r\n');
    await rig.until(() => held !== null && sink.requests.length === 1);
    // In memory it has fallen already: what is asked now is asked by who may have seen it.
    expect(await why(rig, await send(rig))).toBe('flow-R3');
    expect(client.received.length).toBe(0);
    (held as (() => void) | null)?.();
    expect(await client.answer()).toMatchObject({ status: 200 });
  });

  it('does not come in where it cannot be recorded', async () => {
    let broken = false;
    const failing = (journal: Journal): Journal =>
      new Proxy(journal, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name);
          if (name === 'append') {
            return (draft: Parameters<Journal['append']>[0], tier: Parameters<Journal['append']>[1]) =>
              broken && draft.type === 'label' ? Promise.reject(new Error('no')) : target.append(draft, tier);
          }
          return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
        },
      });
    const { rig, sink } = await start({ journal: failing });
    broken = true;
    const answer = await read(rig);
    broken = false;
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain('canary');
    // A session whose first label could not be written is asked about nothing.
    expect(sink.requests).toHaveLength(0);
  });

  it('comes back after a crash of the gateway, from its journal', async () => {
    const { rig } = await start();
    await read(rig);
    const next = await crashed(rig);
    expect(await why(next.rig, await send(next.rig))).toBe('flow-R3');
    expect(next.sink.requests).toHaveLength(0);
  });

  it('is lost where nobody says what it was: then nothing private leaves for public places', async () => {
    const lost = { start: null, order: [], workspace: { path: '/work', mode: 'proposal' } } as const;
    const { rig } = await start({ start: lost });
    expect(await why(rig, await send(rig))).toBe('flow-R3');
  });
});

describe('a session that writes its workspace at once', () => {
  const direct = (path: string, more: Partial<typeof vouched> = {}) =>
    startOf({ ...vouched, ...more }, { workspace: { path, mode: 'direct' } });

  it('has its label stored before the answer comes in, or none comes in', async () => {
    const { rig } = await start({ start: direct('/work') });
    expect(await read(rig)).toMatchObject({ status: 200 });
    expect(rig.labels).toMatchObject([{ session, label: { integrity: 0, confidentiality: 2 } }]);
  });

  it('gets no answer while the control plane does not store it', async () => {
    const { rig } = await start({
      start: direct('/work'),
      label: () => {
        throw new Error('no disk');
      },
    });
    const answer = await read(rig);
    expect([answer.status, answer.json['code']]).toEqual([403, 'flow-R7']);
    expect(answer.body).not.toContain('canary');
  });

  it('hands on what it has seen to every session that reads there, and to no other', async () => {
    const [neighbour, inside, elsewhere] = ['ses_neighbour', 'ses_inside', 'ses_elsewhere'];
    const starts: Record<string, ReturnType<typeof startOf>> = {
      [neighbour]: direct('/work'),
      [inside]: startOf(vouched, { workspace: { path: '/work/deep', mode: 'proposal' } }),
      [elsewhere]: direct('/workshop'),
    };
    const { rig } = await start({
      start: direct('/work'),
      sessions: [neighbour, inside, elsewhere],
      startOf: (id) => starts[id] ?? trusted,
    });
    // Each begins with its first request.
    for (const id of [neighbour, inside, elsewhere]) await think1(rig, id);
    await read(rig);
    expect(await why(rig, await send(rig, neighbour))).toBe('flow-R3');
    expect(await why(rig, await send(rig, inside))).toBe('flow-R3');
    expect((await send(rig, elsewhere)).status).toBe(200);
  });

  it('and what it had seen is there for a session that starts later', async () => {
    const late = 'ses_late';
    const { rig } = await start({ start: direct('/work'), sessions: [late], startOf: () => direct('/work') });
    await read(rig);
    expect(await why(rig, await send(rig, late))).toBe('flow-R3');
  });
});

const think1 = (rig: Rig, id: string) => ask(rig, 'model.example', 'POST /', '{}', id);

describe('a tunnel', () => {
  const database = 'tcp://db.example:5432';

  async function tcpSocket(rig: Rig): Promise<number> {
    const holder = await new Promise<Server>((resolve) => {
      const server = createServer();
      server.listen(0, '127.0.0.1', () => resolve(server));
    });
    const address = holder.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { port } = address;
    const before = rig.sent.length;
    const serve = { type: 'serve', v: 1, tenant: 'local', session, kind: 'tcp', address: '127.0.0.1', port };
    rig.tell({ ...serve, grant: database, of: 4 }, holder);
    await rig.until(() => rig.sent.length > before);
    return port;
  }

  it('has been seen at once, and is cut when the session has seen what may not go there', async () => {
    const lines = await LineSink.start();
    stack.push(lines);
    const start0 = startOf({ integrity: 2, confidentiality: 0, readers: 'all', sources: ['public'] });
    const secret = { name: 'key', to: ['https://news.example'], methods: null, paths: null, require: true } as const;
    const { rig } = await start({
      start: start0,
      grants: [news, { allow: database }],
      hosts: { 'db.example:5432': lines.port },
      secrets: [{ ...secret, at: { header: 'authorization', form: 'Bearer {}' } }],
    });
    using client = await RawClient.to(await tcpSocket(rig));
    client.send('select 1\n');
    expect(await client.until((text) => text.includes('\n'))).toBe('SELECT 1\n');
    expect((await levels(rig)).at(-1)).toEqual(['answer', 0, 0]);
    // What a credential opens is private; the tunnel was granted for public data.
    expect(await read(rig)).toMatchObject({ status: 200 });
    await client.until(() => false);
    expect(client.ended).toBe(true);
    await rig.until(async () =>
      (await rig.entriesOf('outcome')).some(({ data }) => data['code'] === 'no-longer-permitted'),
    );
  });
});

describe('arguments of a body', () => {
  const critical = { '/to/*': { type: 'email', among: ['@corp.example'] } } as const;
  const mail: Grant = { allow: 'model.example/send', methods: ['POST'], clearance: 'private', critical };
  const post = (rig: Rig, body: string) => ask(rig, 'model.example', 'POST /send', body);

  it('that are critical are read once, and stand among the facts', async () => {
    const { rig, sink } = await start({ grants: [mail] });
    expect(await post(rig, '{"to":["a@corp.example"]}')).toMatchObject({ status: 200 });
    const refused = await post(rig, '{"to":["A <a@corp.example>"]}');
    expect([refused.status, refused.json['code']]).toEqual([403, 'critical-not-canonical']);
    expect(await why(rig, await post(rig, '{"to":["e@evil.example"]}'))).toBe('flow-R1');
    const spelled = await post(rig, '{"to":["a@b\\u00fccher.example"]}');
    expect(spelled.json['code']).toBe('critical-not-canonical');
    expect(sink.requests).toHaveLength(1);
  });
});

describe('the leak meter', () => {
  it('goes on after a crash of the gateway where it stood', async () => {
    const used = async (rig: Rig): Promise<unknown> => {
      const labels = (await rig.entriesOf('decision')).at(-1)?.data['labels'];
      return (labels as { leakUsed?: unknown } | undefined)?.leakUsed;
    };
    const { rig } = await start();
    for (let i = 0; i < 3; i++) await ask(rig, 'news.example', `GET /?q=${i}${'x'.repeat(500)}`);
    expect(await used(rig)).toBeGreaterThan(1_000);
    const { rig: again } = await crashed(rig);
    await ask(again, 'news.example', 'GET /');
    expect(await used(again)).toBeGreaterThan(1_500);
  });

  it('counts what a read tells, and refuses what is over its bound', async () => {
    const { rig, sink } = await start();
    expect(await ask(rig, 'news.example', `GET /?q=${'x'.repeat(200)}`)).toMatchObject({ status: 200 });
    const over = await ask(rig, 'news.example', `GET /?q=${'y'.repeat(1100)}`);
    expect(await why(rig, over)).toBe('flow-R8');
    expect(sink.requests).toHaveLength(1);
    expect(over.json['detail']).toContain('1024 bytes a request');
  });
});
