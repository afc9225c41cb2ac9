import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { h2 } from '@cordon/testkit/hostile';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectThrough } from './client.ts';
import { H2Client, RawH2 } from './h2-client.ts';
import { Rig, type RigOptions, session, upstreamCa } from './rig.ts';

const host = 'api.example.com';
let server: Http2SecureServer;
const sockets = new Set<Socket>();
let versions: string[] = [];
let heads: Array<Array<readonly [string, string]>> = [];
let held: ServerHttp2Stream[] = [];
let cancelled = 0;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  const leaf = upstreamCa.issue([host]);
  server = createSecureServer({ key: leaf.key, cert: leaf.cert, allowHTTP1: true });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('session', (each) => each.on('error', () => undefined));
  server.on('request', (request, response) => {
    versions.push(request.httpVersion);
    const raw = request.rawHeaders;
    heads.push(raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as const] : [])));
    if (request.httpVersion === '1.1') response.end('one');
    // With these, `waitForTrailers` sends them.
    else response.addTrailers({ 'set-cookie': 'late=1' });
    if (request.httpVersion === '2.0')
      answer(response.stream as ServerHttp2Stream, request.url, request.headers.authorization ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

function answer(stream: ServerHttp2Stream, path: string, credential: string): void {
  stream.on('error', () => undefined);
  if (path === '/held') {
    held.push(stream);
    stream.on('close', () => {
      cancelled += 1;
    });
    return;
  }
  if (path === '/echo') {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  } else if (path === '/stream') {
    stream.respond({ ':status': 200 });
    stream.write('first');
    held.push(stream);
  } else if (path === '/reflect') {
    stream.respond({ ':status': 200, 'x-echo': credential });
    stream.end(`<${credential}>`);
  } else if (path === '/big') {
    stream.respond({ ':status': 200, 'content-length': String(bigBytes) });
    stream.end(Buffer.alloc(bigBytes, 'b'));
  } else if (path === '/fields') {
    stream.respond([':status', '200', 'alt-svc', 'h3=":443"', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-y', 'z'], {
      waitForTrailers: true,
    });
    stream.end('fields');
  } else {
    stream.respond({ ':status': path === '/none' ? 204 : 200 });
    stream.end(path === '/none' ? undefined : 'two');
  }
}

const bigBytes = 3_000_000;
const anything = { allow: `https://${host}`, methods: ['GET', 'HEAD', 'POST'] };

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

beforeEach(() => {
  versions = [];
  heads = [];
  held = [];
  cancelled = 0;
});

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(options: RigOptions = {}): Promise<Rig> {
  const { port } = server.address() as AddressInfo;
  const rig = await Rig.start({ grants: [anything], hosts: { [`${host}:443`]: port }, ...options });
  open.push(rig);
  return rig;
}

const client = (rig: Rig): Promise<H2Client> => H2Client.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
const rawClient = (rig: Rig): Promise<RawH2> => RawH2.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
const ask = (stream: number, path: string, ...fields: h2.Fields): Buffer =>
  h2.headers(stream, [[':method', 'GET'], [':scheme', 'https'], [':authority', host], [':path', path], ...fields]);
const begin = Buffer.concat([h2.hello, h2.settingsAck]);

describe('a request over HTTP/2', () => {
  it('reaches a server that speaks it over HTTP/2, and is recorded like any other', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const got = await h2c.ask({ ':method': 'POST', ':path': '/echo?q=1', 'content-type': 'text/plain' }, 'hello');
    expect(got).toMatchObject({ status: 200, error: 0 });
    expect((await h2c.ask({ ':method': 'POST', ':path': '/echo' }, 'hello')).body).toBe('hello');
    expect(versions).toEqual(['2.0', '2.0']);
    const [decision] = await rig.entriesOf('decision');
    const [outcome] = await rig.entriesOf('outcome');
    expect(decision?.data).toMatchObject({ outcome: 'allow', resource: `https://${host}:443`, bytesOut: 5 });
    expect(outcome?.data).toMatchObject({ code: 'relayed', status: 200, doubt: false, address: '127.0.0.1' });
  });

  it('is denied with the same problem, and the connection goes on', async () => {
    const rig = await start({ grants: [{ allow: `https://${host}/ok` }] });
    using h2c = await client(rig);
    const denied = await h2c.ask({ ':path': '/other' });
    expect(denied).toMatchObject({ status: 403, error: 0, json: { code: 'no-grant' } });
    expect(denied.headers.get('content-type')).toBe('application/problem+json');
    expect((await h2c.ask({ ':path': '/ok' })).body).toBe('two');
    expect(heads).toHaveLength(1);
    expect((await rig.entriesOf('decision')).map((entry) => entry.data['outcome'])).toEqual(['deny', 'allow']);
  });

  it('arrives as it was judged: crumbs joined, hop-by-hop and forged fields gone, no trailers', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    const fields: h2.Fields = [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', host],
      [':path', '/x'],
      ['cookie', 'a=1'],
      ['x-one', '1'],
      ['cookie', 'b=2'],
      ['te', 'trailers'],
      ['x-forwarded-for', '1.2.3.4'],
      ['http2-settings', 'x'],
    ];
    const trailers = h2.headers(1, [
      ['authorization', 'late'],
      ['x-trailer', '1'],
    ]);
    await raw.send(
      Buffer.concat([begin, h2.headers(1, fields, { end: false }), h2.data(1, 'abc', { end: false }), trailers]),
    );
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.bodyOf(1)).toBe('two');
    expect(heads[0]).toEqual([
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', host],
      [':path', '/x'],
      ['cookie', 'a=1; b=2'],
      ['x-one', '1'],
      ['content-length', '3'],
    ]);
  });

  it('never carries a field whose value nghttp2 dropped: it is in no decision and at no server', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    const bad: h2.Fields = [
      ['x-nul', 'a\0b'],
      ['x-crlf', 'a\r\nx-smuggled: 1'],
      ['x-lf', 'a\nb'],
      ['x-space', ' a'],
      ['x name', 'a'],
      ['x:colon', 'a'],
      ['', 'a'],
      ['x-good', 'kept'],
    ];
    await raw.send(Buffer.concat([begin, ask(1, '/x', ...bad)]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(heads[0]?.slice(4)).toEqual([['x-good', 'kept']]);
    const [decision] = await rig.entriesOf('decision');
    expect(JSON.stringify(decision)).not.toMatch(/x-nul|x-crlf|smuggled|x-lf|x-space|x name|colon/);
  });

  it('gets an answer without what speaks about connections, and without trailers', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const got = await h2c.ask({ ':path': '/fields' });
    expect(got.body).toBe('fields');
    expect(got.raw).not.toContain('alt-svc');
    expect(got.raw.filter((_, i) => i % 2 === 1 && got.raw[i - 1] === 'set-cookie')).toEqual(['a=1', 'b=2']);
    expect(got.trailers).toEqual([]);
    expect(await h2c.ask({ ':path': '/none' })).toMatchObject({ status: 204, body: '', error: 0 });
    expect(await h2c.ask({ ':path': '/x', ':method': 'HEAD' })).toMatchObject({ status: 200, body: '', error: 0 });
    expect(await h2c.ask({ ':path': '/big' })).toMatchObject({ status: 200, error: 0 });
  });

  it('runs beside others: 40 at once, each with its own answer', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const texts = Array.from({ length: 40 }, (_, i) => `body ${i}`);
    const answers = await Promise.all(texts.map((text) => h2c.ask({ ':method': 'POST', ':path': '/echo' }, text)));
    expect(answers.map(({ body }) => body)).toEqual(texts);
  });

  it('reads our own pages, but never asks our names outside', async () => {
    const rig = await start();
    using page = await H2Client.through(rig.ports.proxy, 'cordon.internal:443', rig.ca.certificate);
    expect((await page.ask({ ':path': '/' })).json).toMatchObject({ session });
  });

  it('falls back on HTTP/1.1 for a client that offers nothing else', async () => {
    const rig = await start();
    using one = await connectThrough(rig.ports.proxy, { target: `${host}:443`, ca: rig.ca.certificate });
    expect((await one.ask(`GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).body).toBe('one');
    expect(versions).toEqual(['1.1']);
  });

  it('holds a body for as long as its limits say, and refuses what is larger', async () => {
    const rig = await start({ limits: { bodyBytesMax: 1_000, bodyIdleMs: 300 } });
    using h2c = await client(rig);
    const large = await h2c.ask({ ':method': 'POST', ':path': '/echo' }, 'x'.repeat(2_000));
    expect(large).toMatchObject({ status: 413, json: { code: 'body-too-large' } });
    using raw = await rawClient(rig);
    const post: h2.Fields = [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', host],
      [':path', '/echo'],
    ];
    await raw.send(Buffer.concat([begin, h2.headers(1, post, { end: false }), h2.data(1, 'x', { end: false })]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(JSON.parse(raw.bodyOf(1))).toMatchObject({ code: 'request-timeout' });
    expect((await h2c.ask({ ':path': '/x' })).body).toBe('two');
    expect(heads).toHaveLength(1);
  });
});

describe('limits of a connection', () => {
  it('64 requests in flight are a session’s, on however many connections', async () => {
    const rig = await start({ limits: { requestsInFlightMax: 4 } });
    using one = await client(rig);
    using two = await client(rig);
    for (const each of [one, one, two, two]) void each.ask({ ':path': '/held' });
    await rig.until(() => held.length === 4);
    expect(await two.ask({ ':path': '/x' })).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
    expect(rig.gateway.stats().inFlight).toBe(4);
    one.session.destroy();
    await rig.until(() => rig.gateway.stats().inFlight === 2);
    expect((await two.ask({ ':path': '/x' })).body).toBe('two');
  });

  it('a stream that is broken off ends its request at the server too', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const stream = h2c.session.request({ ':path': '/held' });
    stream.on('error', () => undefined);
    await rig.until(() => held.length === 1);
    stream.close(h2.errorCode.cancel);
    await rig.until(() => cancelled === 1);
    await rig.until(() => rig.gateway.stats().inFlight === 0);
    const [outcome] = await rig.entriesOf('outcome');
    expect(outcome?.data).toMatchObject({ code: 'client-gone', doubt: true });
  });

  it.each([
    ['no SETTINGS', h2.preface, { h2SettingsMs: 200 }, h2.errorCode.settingsTimeout],
    ['nothing at all', Buffer.from('P'), { h2SettingsMs: 200 }, h2.errorCode.settingsTimeout],
    [
      'half a head',
      Buffer.concat([begin, h2.frame(h2.frameType.headers, h2.flag.endStream, 1, h2.block([[':method', 'GET']]))]),
      { headTimeoutMs: 300 },
      h2.errorCode.enhanceYourCalm,
    ],
  ])('%s: the connection ends, and the record says so', async (_name, bytes, limits, error) => {
    const rig = await start({ limits });
    using raw = await rawClient(rig);
    await raw.send(bytes);
    await raw.until(() => raw.ended);
    expect(raw.goaway).toBe(error);
    await rig.until(async () => (await rig.entriesOf('fault')).some(({ data }) => data['code'] === 'request-timeout'));
    await rig.until(() => rig.gateway.stats().sockets === 0);
  });

  it('an idle connection ends however many PINGs come; one that waits for an answer does not', async () => {
    const rig = await start({ limits: { keepAliveIdleMs: 300 } });
    using busy = await rawClient(rig);
    await busy.send(Buffer.concat([begin, ask(1, '/held')]));
    await rig.until(() => held.length === 1);
    using idle = await rawClient(rig);
    await idle.send(begin);
    const pinging = setInterval(() => void idle.send(h2.ping()), 50);
    try {
      await idle.until(() => idle.ended);
    } finally {
      clearInterval(pinging);
    }
    expect(idle.goaway).toBe(h2.errorCode.none);
    expect(busy.ended).toBe(false);
    expect(await rig.entriesOf('fault')).toEqual([]);
  });

  it('a connection serves so many requests and then says goodbye', async () => {
    const rig = await start({ limits: { requestsPerConnectionMax: 3 } });
    using raw = await rawClient(rig);
    await raw.send(begin);
    for (const stream of [1, 3, 5]) {
      await raw.send(ask(stream, '/x'));
      await raw.until(() => raw.endOf(stream) !== null);
      expect(raw.bodyOf(stream)).toBe('two');
    }
    await raw.until(() => raw.ended);
    expect(raw.goaway).toBe(h2.errorCode.none);
  });

  it('a reader that takes nothing is cut; the server is held back meanwhile', async () => {
    const rig = await start({ limits: { slowReaderMs: 300 } });
    using raw = await rawClient(rig);
    // A window of 0: nothing of a body may be sent.
    await raw.send(Buffer.concat([h2.preface, h2.settings([[4, 0]]), h2.settingsAck, ask(1, '/big')]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    expect(raw.bodyOf(1)).toBe('');
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({ code: 'slow-reader' });
    await raw.send(Buffer.concat([h2.settings([[4, 65_535]]), ask(3, '/x')]));
    await raw.until(() => raw.endOf(3) !== null);
    expect(raw.bodyOf(3)).toBe('two');
  });
});

describe('stops', () => {
  it.each(['session.stop', 'session.close'] as const)(
    '%s ends connections, streams and what they wait for',
    async (order) => {
      const rig = await start();
      using h2c = await client(rig);
      const waiting = h2c.ask({ ':path': '/held' });
      const streaming = h2c.ask({ ':path': '/stream' });
      await rig.until(() => held.length === 2);
      if (order === 'session.stop') await rig.control?.call(order, { session, stopped: true });
      else await rig.control?.call(order, { session });
      expect((await waiting).error).not.toBe(0);
      expect((await streaming).error).not.toBe(0);
      await rig.until(() => h2c.socket.destroyed);
      await rig.until(() => rig.gateway.stats().inFlight === 0 && cancelled >= 1);
      const codes = (await rig.entriesOf('outcome')).map(({ data }) => data['code']);
      expect(codes).toHaveLength(2);
      expect(codes).not.toContain('relayed');
    },
  );

  it('a policy that no longer permits an answer cuts its stream, and no other', async () => {
    const rig = await start({ grants: [{ allow: `https://${host}/stream` }, { allow: `https://${host}/x` }] });
    using raw = await rawClient(rig);
    await raw.send(Buffer.concat([begin, ask(1, '/stream')]));
    await raw.until(() => raw.bodyOf(1) === 'first');
    await rig.setGrants([{ allow: `https://${host}/x` }]);
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    await raw.send(ask(3, '/x'));
    await raw.until(() => raw.endOf(3) !== null);
    expect(raw.bodyOf(3)).toBe('two');
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 2);
    expect((await rig.entriesOf('outcome')).map(({ data }) => data['code']).sort()).toEqual([
      'no-longer-permitted',
      'relayed',
    ]);
  });

  it('a server that breaks off leaves no answer that looks whole', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    await raw.send(Buffer.concat([begin, ask(1, '/stream')]));
    await raw.until(() => raw.bodyOf(1) === 'first');
    for (const socket of sockets) socket.destroy();
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.endOf(1)).toBe(h2.errorCode.internal);
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 1);
    expect((await rig.entriesOf('outcome'))[0]?.data).toMatchObject({ code: 'upstream-aborted' });
  });
});

describe('secrets', () => {
  it('go in after the decision, and come back as their placeholder, in head and body', async () => {
    const at = { header: 'authorization', form: 'Bearer {}' };
    const to = [`https://${host}`];
    const rig = await start({ secrets: [{ name: 'key', to, at, methods: null, paths: null, require: false }] });
    using h2c = await client(rig);
    const got = await h2c.ask({ ':path': '/reflect', authorization: 'Bearer cordon:secret:key' });
    expect(heads[0]).toContainEqual(['authorization', 'Bearer sk-real-value-0123456789']);
    expect(got.body).toBe('<Bearer cordon:secret:key>');
    expect(got.headers.get('x-echo')).toBe('Bearer cordon:secret:key');
    const [outcome] = await rig.entriesOf('outcome');
    expect(outcome?.data).toMatchObject({ credentials: ['key'], scrubbed: ['key'] });
  });
});

describe('real clients', () => {
  it('curl speaks HTTP/2 through the proxy, many transfers on one connection', async () => {
    const rig = await start();
    const directory = mkdtempSync(join(tmpdir(), 'h2-curl-'));
    try {
      const ca = join(directory, 'ca.pem');
      writeFileSync(ca, rig.ca.certificate);
      const args = ['-sS', '--http2', '--cacert', ca, '-x', `http://127.0.0.1:${rig.ports.proxy}`, '--parallel'];
      const urls = Array.from({ length: 5 }, () => ['-o', '-', '-w', '%{http_version}\n', `https://${host}/x`]).flat();
      const { stdout } = await promisify(execFile)('curl', [...args, ...urls]);
      expect(stdout.match(/two/g)).toHaveLength(5);
      expect(stdout.match(/2\n/g)).toHaveLength(5);
      expect(new Set(versions)).toEqual(new Set(['2.0']));
      const upload = [
        '--data-binary',
        `@${process.execPath}`,
        `https://${host}/echo`,
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
      ];
      const large = await promisify(execFile)('curl', [...args.filter((arg) => arg !== '--parallel'), ...upload]);
      expect(large.stdout).toBe('413');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
