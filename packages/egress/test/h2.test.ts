import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '@cordon/protocol';
import { TestCa } from '@cordon/testkit';
import { h2 } from '@cordon/testkit/hostile';
import { afterEach, expect, test, vi } from 'vitest';
import { type UpstreamAnswer, Upstreams } from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { ca, FrameServer, get, leaf, pinTo } from './h2-rig.ts';

const live = new AbortController().signal;
const open: Array<() => void> = [];
afterEach(() => {
  vi.useRealTimers();
  for (const close of open.splice(0)) close();
});

function upstreams(extraCa: string = ca.certificate): Upstreams {
  const made = new Upstreams({ clock: systemClock, extraCa: [extraCa] });
  open.push(() => made[Symbol.dispose]());
  return made;
}

interface Serving {
  readonly port: number;
  /** Raw heads, in order. */
  readonly heads: string[][];
  readonly sessions: ServerHttp2Session[];
}

/** A server of Node's own, h2 and http/1.1. */
async function serve(answer: (stream: ServerHttp2Stream, path: string) => void): Promise<Serving> {
  const heads: string[][] = [];
  const sessions: ServerHttp2Session[] = [];
  const sockets = new Set<Socket>();
  const server = createSecureServer({ key: leaf.key, cert: leaf.cert, allowHTTP1: true });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', () => undefined);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    heads.push(raw);
    stream.on('error', () => undefined);
    answer(stream, String(headers[':path']));
  });
  server.on('request', (request, response) => {
    if (request.httpVersion === '2.0') return;
    heads.push(request.rawHeaders);
    response.end('one');
  });
  open.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, heads, sessions };
}

async function read(body: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const part of body) text += String(part);
  return text;
}

const echo = (stream: ServerHttp2Stream): void => {
  stream.respond({ ':status': 200 });
  stream.pipe(stream);
};
const ok = (stream: ServerHttp2Stream): void => {
  stream.respond({ ':status': 200 });
  stream.end('two');
};
const textOf = async (answer: Promise<UpstreamAnswer>): Promise<string> => read((await answer).body);

test('pseudo-headers, fields in order and in lower case, own length', async () => {
  const { port, heads } = await serve(echo);
  const request = get(pinTo(port), {
    method: 'POST',
    target: '/a%20b?x=1&x=2',
    headers: [
      ['X-Case', '1'],
      ['x-case', '2'],
      ['ACCEPT', '*/*'],
      ['X-Latin', 'caf\xe9'],
    ],
    body: Buffer.from('{"a":1}'),
  });
  const answer = await upstreams().exchange(request, live);
  expect(await read(answer.body)).toBe('{"a":1}');
  expect(answer).toMatchObject({ status: 200, address: '127.0.0.1', reused: false, attempts: 1 });
  expect(heads[0]).toEqual([
    ...[':method', 'POST', ':scheme', 'https', ':authority', 'a.example', ':path', '/a%20b?x=1&x=2'],
    ...['x-case', '1', 'x-case', '2', 'accept', '*/*', 'x-latin', 'caf\xe9', 'content-length', '7'],
  ]);
});

test.each([
  ['a second authority', 'host', 'b.example'],
  ['framing', 'content-length', '9'],
  ['a connection field', 'connection', 'x'],
  ['a line break in a value', 'x-a', 'a\r\nhost: b.example'],
])('what could have two readings is not sent: %s', async (_name, name, value) => {
  const { port, heads } = await serve(ok);
  const request = get(pinTo(port), { headers: [[name, value]] });
  await expect(upstreams().exchange(request, live)).rejects.toMatchObject({ code: 'request-framing' });
  expect(heads).toEqual([]);
});

test('one connection carries all requests of a session to an origin, also those that come before it is open', async () => {
  const { port, sessions } = await serve(ok);
  const out = upstreams();
  const answers = await Promise.all(Array.from({ length: 30 }, () => textOf(out.exchange(get(pinTo(port)), live))));
  expect(new Set(answers)).toEqual(new Set(['two']));
  expect((await out.exchange(get(pinTo(port)), live)).reused).toBe(true);
  expect(sessions).toHaveLength(1);
});

test('no connection is shared between sessions, credentials, overrides or other addresses', async () => {
  const { port, sessions } = await serve(ok);
  const out = upstreams();
  const others = [
    get(pinTo(port)),
    get(pinTo(port), { session: 'other' }),
    get(pinTo(port), { credential: 'key' }),
    get(pinTo(port, { override: true })),
    get(pinTo(port, { addresses: ['127.0.0.1', '127.0.0.2'] })),
  ];
  for (const request of others) await textOf(out.exchange(request, live));
  expect(sessions).toHaveLength(others.length);
});

test('a server without h2 is spoken to in HTTP/1.1, on the connection that found it out', async () => {
  const hosts: string[] = [];
  const sockets = new Set<Socket>();
  const server = createHttps({ key: leaf.key, cert: leaf.cert }, (request, response) => {
    hosts.push(request.headers.host ?? '');
    sockets.add(request.socket);
    response.end('one');
  });
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const out = upstreams();
  for (let i = 0; i < 3; i++) expect(await textOf(out.exchange(get(pinTo(port)), live))).toBe('one');
  expect(hosts).toEqual(['a.example', 'a.example', 'a.example']);
  expect([connections, sockets.size]).toEqual([1, 1]);
});

test('an agent that speaks HTTP/1.1 gets an upstream of HTTP/1.1', async () => {
  const { port, sessions } = await serve(ok);
  expect(await textOf(upstreams().exchange(get(pinTo(port), { h2: false }), live))).toBe('one');
  expect(sessions).toEqual([]);
});

test('a server that wants HTTP/1.1 gets it from then on', async () => {
  const refuse = (stream: ServerHttp2Stream): void => void stream.close(h2.errorCode.http11Required);
  const { port, heads } = await serve(refuse);
  const out = upstreams();
  expect(await textOf(out.exchange(get(pinTo(port), { retry: true }), live))).toBe('one');
  expect(await textOf(out.exchange(get(pinTo(port), { method: 'POST' }), live))).toBe('one');
  expect(heads).toHaveLength(3);
});

test('the certificate must name the host', async () => {
  const { port, heads } = await serve(ok);
  await expect(upstreams(new TestCa().certificate).exchange(get(pinTo(port)), live)).rejects.toMatchObject({
    code: 'upstream-tls',
  });
  const other = pinTo(port, { host: 'b.example', origin: 'https://b.example:443' });
  await expect(upstreams().exchange(get(other), live)).rejects.toMatchObject({ code: 'upstream-tls' });
  expect(heads).toEqual([]);
});

test('a stop ends what waits, what streams, and the connection', async () => {
  const { port, sessions } = await serve((stream, path) => {
    if (path === '/wait') return;
    stream.respond({ ':status': 200 });
    stream.write('first');
  });
  const out = upstreams();
  const answer = await out.exchange(get(pinTo(port)), live);
  const body = read(answer.body);
  const waiting = out.exchange(get(pinTo(port), { target: '/wait' }), live);
  const closed = new Promise((resolve) => sessions[0]?.once('close', resolve));
  out.closeSession('ses');
  await expect(waiting).rejects.toMatchObject({ code: 'upstream-closed' });
  await expect(body).rejects.toThrow();
  await closed;
});

test('an agent that gives up takes its own request back, and no other', async () => {
  const codes: number[] = [];
  const { port, sessions } = await serve((stream, path) => {
    if (path === '/held') stream.on('close', () => codes.push(stream.rstCode ?? 0));
    else ok(stream);
  });
  const out = upstreams();
  const gone = new AbortController();
  const held = out.exchange(get(pinTo(port), { target: '/held' }), gone.signal);
  expect(await textOf(out.exchange(get(pinTo(port)), live))).toBe('two');
  gone.abort(new Error('gone'));
  await expect(held).rejects.toThrow('gone');
  expect(await textOf(out.exchange(get(pinTo(port)), live))).toBe('two');
  await expect.poll(() => codes).toEqual([h2.errorCode.cancel]);
  expect(sessions).toHaveLength(1);
});

test('an agent that gives up in the middle of an answer takes it back', async () => {
  const codes: number[] = [];
  const { port } = await serve((stream) => {
    stream.on('close', () => codes.push(stream.rstCode ?? 0));
    stream.respond({ ':status': 200 });
    stream.write('first');
  });
  const { body } = await upstreams().exchange(get(pinTo(port)), live);
  await new Promise((resolve) => body.once('data', resolve));
  body.destroy();
  await expect.poll(() => codes).toEqual([h2.errorCode.cancel]);
});

test('a server is told how much it may send, and that it may not push', async () => {
  const { port, sessions } = await serve(ok);
  await textOf(upstreams().exchange(get(pinTo(port)), live));
  expect(sessions[0]?.remoteSettings).toMatchObject({
    enablePush: false,
    initialWindowSize: limits.h2StreamWindowBytes,
    maxHeaderListSize: limits.answerHeaderBytesMax,
  });
});

test('a connection to addresses that are no longer the answer ends with its last request', async () => {
  const { port, sessions } = await serve((stream) => {
    stream.respond({ ':status': 200 });
    stream.write('first');
    stream.on('data', () => undefined);
    setImmediate(() => stream.end('last'));
  });
  const out = upstreams();
  const before = await out.exchange(get(pinTo(port)), live);
  const closed = new Promise((resolve) => sessions[0]?.once('close', resolve));
  const now = pinTo(port, { addresses: ['127.0.0.1', '127.0.0.2'] });
  expect(await textOf(out.exchange(get(now), live))).toBe('firstlast');
  expect(await read(before.body)).toBe('firstlast');
  await closed;
  expect(sessions).toHaveLength(2);
});

test('a connection that nobody uses is closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { port, sessions } = await serve(ok);
  await textOf(upstreams().exchange(get(pinTo(port)), live));
  const closed = new Promise((resolve) => sessions[0]?.once('close', resolve));
  // It counts as unused once its last stream has closed, which is a turn behind the end of the answer.
  await expect.poll(() => vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(limits.keepAliveIdleMs - 1);
  expect(sessions[0]?.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  await closed;
});

test('a slow reader holds the server back', async () => {
  let sent = 0;
  const { port } = await serve((stream) => {
    stream.respond({ ':status': 200 });
    const more = (): void => {
      do sent += 65_536;
      while (sent < 64 * 1024 * 1024 && stream.write(Buffer.alloc(65_536)));
    };
    stream.on('drain', more);
    more();
  });
  const answer = await upstreams().exchange(get(pinTo(port)), live);
  let before = -1;
  // Nobody reads: the server comes to a stop by itself.
  await expect
    .poll(
      () => {
        const still = sent === before;
        before = sent;
        return still;
      },
      { interval: 200 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(8 * 1024 * 1024);
  answer.body.destroy();
});

test('a connection that died while it was idle costs an idempotent request nothing', async () => {
  const server = new FrameServer((stream, socket) => {
    const whole = Buffer.concat([h2.headers(stream, [[':status', '200']], { end: false }), h2.data(stream, 'ok')]);
    if (stream === 3) socket.destroy();
    return stream === 3 ? null : whole;
  });
  open.push(() => server.close());
  const port = await server.listen();
  const out = upstreams();
  expect(await textOf(out.exchange(get(pinTo(port)), live))).toBe('ok');
  const answer = await out.exchange(get(pinTo(port), { retry: true }), live);
  expect(await read(answer.body)).toBe('ok');
  expect(answer.attempts).toBe(2);
});
