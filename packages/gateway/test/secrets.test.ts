import { gzipSync } from 'node:zlib';
import type { SecretBinding } from '@cordon/protocol';
import { type HttpRecord, HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, connectThrough, RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

const value = 'sk-real-value-0123456789';
let sink: HttpSink;
let rig: Rig;

const base = { methods: null, paths: null, require: false };
const secrets: readonly SecretBinding[] = [
  {
    ...base,
    name: 'github',
    to: ['https://api.example.com'],
    at: { header: 'authorization', form: 'Bearer {}' },
    methods: ['GET'],
    paths: ['/repos/**'],
  },
  {
    ...base,
    name: 'registry',
    to: ['https://registry.example.com'],
    at: { header: 'x-api-key', form: '{}' },
    require: true,
  },
  { ...base, name: 'git', to: ['https://git.example.com'], at: { basic: 'password' } },
];
const names = ['api.example.com', 'registry.example.com', 'git.example.com', 'other.example.com'];

/** Reflects what it got, in the form that the path asks for. */
function reflect(request: HttpRecord): { status: number; headers?: Record<string, string>; body: string | Buffer } {
  const got = request.headers['authorization'] ?? request.headers['x-api-key'] ?? '';
  if (request.target.endsWith('/gzip'))
    return { status: 200, headers: { 'content-encoding': 'gzip' }, body: gzipSync(`<${got}>`) };
  if (request.target.endsWith('/head')) return { status: 200, headers: { 'x-echo': got }, body: 'ok' };
  if (request.target.endsWith('/name'))
    return { status: 200, headers: { [`x-${got.split(' ')[1]}`]: '1' }, body: 'ok' };
  if (request.target.endsWith('/base64'))
    return { status: 200, body: `a${Buffer.from(`xy${got}z`).toString('base64')}b` };
  if (request.target.endsWith('/hex')) return { status: 200, body: Buffer.from(got).toString('hex') };
  if (request.target.endsWith('/unknown')) return { status: 200, headers: { 'content-encoding': 'lzma' }, body: got };
  return { status: 200, body: `<${got}>` };
}

beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue(names), answer: reflect });
  rig = await Rig.start({
    grants: [...names.map((allow) => ({ allow, methods: ['GET', 'POST'] })), { allow: 'http://api.example.com' }],
    secrets,
    hosts: Object.fromEntries([
      ...names.map((name) => [`${name}:443`, sink.port]),
      ['api.example.com:80', sink.port],
    ]) as Record<string, number>,
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

async function ask(host: string, line: string, ...headers: string[]): Promise<Answer> {
  using client = await connectThrough(rig.ports.proxy, { target: `${host}:443`, ca: rig.ca.certificate });
  return await client.ask([`${line} HTTP/1.1`, `Host: ${host}`, ...headers, '', ''].join('\r\n'));
}

const bearer = 'Authorization: Bearer cordon:secret:github';

describe('secrets', () => {
  it('come back in no name of a header either', async () => {
    const answer = await ask('api.example.com', 'GET /repos/name', bearer);
    expect(answer).toMatchObject({ status: 200, body: 'ok' });
    expect([...answer.headers.keys()].join(' ')).not.toContain('sk-real');
    await rig.until(async () => (await rig.entriesOf('outcome')).some((entry) => entry.data['scrubbed'] !== null));
    expect((await rig.entriesOf('outcome')).at(-1)?.data).toMatchObject({ scrubbed: ['github'] });
  });

  it('puts the value in behind everything that records, and the placeholder back', async () => {
    const answer = await ask(
      'api.example.com',
      'GET /repos/a',
      bearer,
      'Cookie: own=1',
      'Range: bytes=0-1',
      'X-Api-Key: own',
    );
    expect(answer).toMatchObject({ status: 200, body: '<Bearer cordon:secret:github>' });
    const seen = sink.requests.at(-1);
    expect(seen?.headers['authorization']).toBe(`Bearer ${value}`);
    for (const own of ['cookie', 'range', 'x-api-key']) expect(seen?.headers).not.toHaveProperty(own);
    await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
    const outcome = (await rig.entriesOf('outcome')).at(-1);
    expect(outcome?.data).toMatchObject({ credentials: ['github'], scrubbed: ['github'] });
    expect(JSON.stringify(await rig.entries())).not.toContain(value);
    expect(rig.leases.at(-1)).toMatchObject({ secret: 'github', destination: 'https://api.example.com:443' });
  });

  it.each(['/gzip', '/head', '/base64', '/hex', '/raw'])('scrubs what an upstream reflects at %s', async (path) => {
    const answer = await ask('api.example.com', `GET /repos${path}`, bearer);
    const all = [...answer.headers.values(), answer.body].join('\n');
    for (const form of [
      value,
      Buffer.from(value).toString('hex'),
      Buffer.from(value).toString('base64').slice(4, -4),
    ]) {
      expect(all).not.toContain(form);
    }
    expect(answer.status).toBe(200);
    if (path === '/head') expect(answer.headers.get('x-echo')).toBe('Bearer cordon:secret:github');
  });

  it('502 for an answer that cannot be searched', async () => {
    const answer = await ask('api.example.com', 'GET /repos/unknown', bearer);
    expect(answer).toMatchObject({ status: 502, json: { code: 'answer-unreadable' } });
    expect(answer.body).not.toContain(value);
  });

  it('adds what a binding requires even if the agent sent nothing', async () => {
    expect((await ask('registry.example.com', 'GET /pkg')).status).toBe(200);
    expect(sink.requests.at(-1)?.headers['x-api-key']).toBe(value);
  });

  it('fills the password of Basic', async () => {
    const basic = Buffer.from('me:cordon:secret:git').toString('base64');
    expect((await ask('git.example.com', 'GET /a', `Authorization: Basic ${basic}`)).status).toBe(200);
    const sent = Buffer.from(sink.requests.at(-1)?.headers['authorization']?.slice(6) ?? '', 'base64').toString();
    expect(sent).toBe(`me:${value}`);
  });

  it.each([
    ['another origin', 'other.example.com', 'GET /repos/a', bearer],
    ['another path', 'api.example.com', 'GET /users', bearer],
    ['another method', 'api.example.com', 'POST /repos/a', `${bearer}\r\nContent-Length: 0`],
    ['another header', 'api.example.com', 'GET /repos/a', 'X-Other: Bearer cordon:secret:github'],
    ['another form', 'api.example.com', 'GET /repos/a', 'Authorization: token cordon:secret:github'],
    ['twice in one value', 'api.example.com', 'GET /repos/a', `${bearer} cordon:secret:github`],
    ['the query', 'api.example.com', 'GET /repos/a?t=cordon:secret:github', 'X: 1'],
    ['the query, encoded', 'api.example.com', 'GET /repos/a?t=cordon%3asecret%3Agithub', 'X: 1'],
    ['a name nobody bound', 'api.example.com', 'GET /repos/a', 'Authorization: Bearer cordon:secret:nobody'],
  ])('denies a placeholder in the wrong place: %s', async (_name, host, line, header) => {
    const before = sink.requests.length;
    const answer = await ask(host, line, header);
    expect(answer.status).toBe(403);
    expect(['secret-misplaced', 'credential-unavailable']).toContain(answer.json['code']);
    expect(sink.requests.length).toBe(before);
    const decision = (await rig.entriesOf('decision')).at(-1);
    expect(decision?.data).toMatchObject({ outcome: 'deny', by: 'gateway', code: answer.json['code'] });
  });

  it('never over plain http', async () => {
    const before = sink.connections;
    using client = await RawClient.to(rig.ports.proxy);
    const answer = await client.ask(
      `GET http://api.example.com/repos/a HTTP/1.1\r\nHost: api.example.com\r\n${bearer}\r\n\r\n`,
    );
    expect(answer).toMatchObject({ status: 403, json: { code: 'secret-misplaced' } });
    expect(sink.connections).toBe(before);
  });

  it('a source that fails is a refusal, never a request without its credential', async () => {
    const upstream = await HttpSink.start({ tls: upstreamCa.issue(['api.example.com']) });
    const failing = await Rig.start({
      grants: [{ allow: 'api.example.com' }],
      secrets,
      hosts: { 'api.example.com:443': upstream.port },
      lease: () => {
        throw new Error('no such secret');
      },
    });
    try {
      using client = await connectThrough(failing.ports.proxy, {
        target: 'api.example.com:443',
        ca: failing.ca.certificate,
      });
      const answer = await client.ask(`GET /repos/a HTTP/1.1\r\nHost: api.example.com\r\n${bearer}\r\n\r\n`);
      expect(answer).toMatchObject({ status: 403, json: { code: 'credential-unavailable' } });
      expect(upstream.connections).toBe(0);
      await failing.until(async () => (await failing.entriesOf('outcome')).length === 1);
      expect((await failing.entriesOf('outcome'))[0]?.data).toMatchObject({
        code: 'credential-unavailable',
        status: null,
        doubt: false,
      });
    } finally {
      await failing[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    }
  });
});
