import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { h2 } from '@cordon/testkit/hostile';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectThrough } from './client.ts';
import { H2Client } from './h2-client.ts';
import { ask, begin, client, H2Server, host, pseudo, rawClient } from './h2-server.ts';
import { type Rig, type RigOptions, session } from './rig.ts';

const open: AsyncDisposable[] = [];
let server: H2Server;

beforeAll(async () => {
  server = await H2Server.start();
});
afterAll(() => server[Symbol.dispose]());
beforeEach(() => server.reset());
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(options: RigOptions = {}): Promise<Rig> {
  const rig = await server.rig(options);
  open.push(rig);
  return rig;
}

describe('a request over HTTP/2', () => {
  it('reaches a server that speaks it over HTTP/2, and is recorded like any other', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const got = await h2c.ask({ ':method': 'POST', ':path': '/echo?q=1', 'content-type': 'text/plain' }, 'hello');
    expect(got).toMatchObject({ status: 200, error: 0 });
    expect((await h2c.ask({ ':method': 'POST', ':path': '/echo' }, 'hello')).body).toBe('hello');
    expect(server.versions).toEqual(['2.0', '2.0']);
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
    expect(server.heads).toHaveLength(1);
    expect((await rig.entriesOf('decision')).map((entry) => entry.data['outcome'])).toEqual(['deny', 'allow']);
  });

  it('arrives as it was judged: crumbs joined, hop-by-hop and forged fields gone, no trailers', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    const fields: h2.Fields = [
      ...pseudo('/x', 'POST'),
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
    expect(server.heads[0]).toEqual([
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
    expect(server.heads[0]?.slice(4)).toEqual([['x-good', 'kept']]);
    const [decision] = await rig.entriesOf('decision');
    expect(JSON.stringify(decision)).not.toMatch(/x-nul|x-crlf|smuggled|x-lf|x-space|x name|colon/);
  });

  it('is the same however its bytes are cut', async () => {
    const rig = await start();
    using raw = await rawClient(rig);
    const post = h2.headers(1, [...pseudo('/echo', 'POST'), ['x-one', '1']], { end: false });
    for (const byte of Buffer.concat([begin, post, h2.data(1, 'hello')])) await raw.send(Buffer.from([byte]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(raw.bodyOf(1)).toBe('hello');
    expect(server.heads[0]?.slice(4)).toEqual([
      ['x-one', '1'],
      ['content-length', '5'],
    ]);
  });

  it('that changes its authority is for nobody, and the one before and behind it for whom they were', async () => {
    const rig = await start();
    using h2c = await client(rig);
    expect((await h2c.ask({ ':path': '/x' })).body).toBe('two');
    const other = await h2c.ask({ ':path': '/x', ':authority': 'other.example.com' });
    expect(other).toMatchObject({ status: 421, json: { code: 'misdirected-request' } });
    expect((await h2c.ask({ ':path': '/x' })).body).toBe('two');
    expect(server.heads).toHaveLength(2);
  });

  it('that waits for 100 gets it from us, and the server hears of no expectation', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const stream = h2c.session.request({ ':method': 'POST', ':path': '/echo', expect: '100-continue' });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('continue', () => stream.end('late'));
    await new Promise((resolve) => stream.once('close', resolve));
    expect(Buffer.concat(chunks).toString()).toBe('late');
    expect(server.heads[0]?.map(([name]) => name)).not.toContain('expect');
  });

  it('is counted in what its session moves, both ways', async () => {
    const rig = await start();
    using h2c = await client(rig);
    await h2c.ask({ ':method': 'POST', ':path': '/echo' }, 'hello');
    await h2c.ask({ ':path': '/x' });
    const stats = await rig.control?.call('stats', null);
    expect(stats?.sessions[0]).toMatchObject({ bytesOut: 5, bytesIn: 8 });
  });

  it('gets an answer without what speaks about connections, and without trailers', async () => {
    const rig = await start();
    using h2c = await client(rig);
    const got = await h2c.ask({ ':path': '/fields' });
    expect(got.body).toBe('fields');
    expect(got.raw).not.toContain('alt-svc');
    expect(got.raw).not.toContain('date');
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
    expect(server.versions).toEqual(['1.1']);
  });

  it('holds a body for as long as its limits say, and refuses what is larger', async () => {
    const rig = await start({ limits: { bodyBytesMax: 1_000, bodyIdleMs: 300 } });
    using h2c = await client(rig);
    const large = await h2c.ask({ ':method': 'POST', ':path': '/echo' }, 'x'.repeat(2_000));
    expect(large).toMatchObject({ status: 413, json: { code: 'body-too-large' } });
    using raw = await rawClient(rig);
    const post = h2.headers(1, pseudo('/echo', 'POST'), { end: false });
    await raw.send(Buffer.concat([begin, post, h2.data(1, 'x', { end: false })]));
    await raw.until(() => raw.endOf(1) !== null);
    expect(JSON.parse(raw.bodyOf(1))).toMatchObject({ code: 'request-timeout' });
    expect((await h2c.ask({ ':path': '/x' })).body).toBe('two');
    expect(server.heads).toHaveLength(1);
  });
});

describe('secrets', () => {
  it('go in after the decision, and come back as their placeholder, in head and body', async () => {
    const at = { header: 'authorization', form: 'Bearer {}' };
    const to = [`https://${host}`];
    const rig = await start({ secrets: [{ name: 'key', to, at, methods: null, paths: null, require: false }] });
    using h2c = await client(rig);
    const got = await h2c.ask({ ':path': '/reflect', authorization: 'Bearer cordon:secret:key' });
    expect(server.heads[0]).toContainEqual(['authorization', 'Bearer sk-real-value-0123456789']);
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
      expect(new Set(server.versions)).toEqual(new Set(['2.0']));
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
