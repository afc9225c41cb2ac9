import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

let plain: HttpSink;
let secure: HttpSink;
let rig: Rig;

beforeAll(async () => {
  plain = await HttpSink.start();
  secure = await HttpSink.start({ tls: upstreamCa.issue(['plain.example', 'tls.example']) });
  rig = await Rig.start({
    grants: [
      { allow: 'http://plain.example/open/**' },
      { allow: 'http://plain.example:8080/open', methods: ['POST'] },
      { allow: 'tls.example/open/**' },
    ],
    hosts: {
      'plain.example:80': plain.port,
      'plain.example:8080': plain.port,
      'plain.example:443': secure.port,
      'tls.example:80': plain.port,
      'tls.example:443': secure.port,
    },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  for (const sink of [plain, secure]) await sink[Symbol.asyncDispose]();
});

async function proxied(url: string, method = 'GET'): Promise<{ status: number; code: unknown }> {
  using client = await RawClient.to(rig.ports.proxy);
  const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
  const answer = await client.ask(`${method} ${url} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n${length}\r\n`);
  return { status: answer.status, code: answer.json['code'] };
}

async function direct(host: string, path: string): Promise<{ status: number; code: unknown }> {
  using client = await RawClient.to(rig.ports.http);
  const answer = await client.ask(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  return { status: answer.status, code: answer.json['code'] };
}

const denied = { status: 403, code: 'no-grant' };

describe('a grant of plain http', () => {
  it('is served by the proxy and by :80, on its paths, methods and port', async () => {
    const before = plain.requests.length;
    expect((await proxied('http://plain.example/open/a')).status).toBe(200);
    expect((await direct('plain.example', '/open/b')).status).toBe(200);
    expect((await proxied('http://plain.example:8080/open', 'POST')).status).toBe(200);
    expect(plain.requests.slice(before).map(({ method, target }) => `${method} ${target}`)).toEqual([
      'GET /open/a',
      'GET /open/b',
      'POST /open',
    ]);
  });

  it.each(['http://plain.example/closed', 'http://plain.example:8080/open', 'http://tls.example/open/a'])(
    'does not reach to %s by the proxy',
    async (url) => {
      const before = plain.requests.length;
      expect(await proxied(url)).toEqual(denied);
      expect(plain.requests.length).toBe(before);
    },
  );

  it.each([
    ['plain.example', '/closed'],
    ['tls.example', '/open/a'],
    ['plain.example:8081', '/open/a'],
  ])('does not reach to %s%s by :80', async (host, path) => {
    const before = plain.requests.length;
    expect(await direct(host, path)).toEqual(denied);
    expect(plain.requests.length).toBe(before);
  });

  it('is no grant of https, and a grant of https is none of http', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'plain.example:443', ca: rig.ca.certificate });
    const answer = await client.ask('GET /open/a HTTP/1.1\r\nHost: plain.example\r\n\r\n');
    expect(answer).toMatchObject({ status: 403, json: { code: 'no-grant' } });
    expect(secure.requests).toEqual([]);
  });

  it('is served inside a CONNECT to its port too, as clients of plain WebSockets ask', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('CONNECT plain.example:80 HTTP/1.1\r\nHost: plain.example:80\r\n\r\n');
    await client.until((text) => text.includes('\r\n\r\n'));
    client.received = Buffer.alloc(0);
    expect((await client.ask('GET /open/c HTTP/1.1\r\nHost: plain.example\r\n\r\n')).status).toBe(200);
    expect((await client.ask('GET /closed HTTP/1.1\r\nHost: plain.example\r\n\r\n')).status).toBe(403);
  });
});
