import { gzipSync } from 'node:zlib';
import { HttpSink } from '@cordon/testkit';
import { headRows, parserRows } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

let plain: HttpSink;
let tls: HttpSink;
let rig: Rig;

beforeAll(async () => {
  plain = await HttpSink.start();
  tls = await HttpSink.start({ tls: upstreamCa.issue(['api.example.com']) });
  const methods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];
  rig = await Rig.start({
    grants: [
      { allow: 'http://api.example.com', methods },
      { allow: 'api.example.com', methods },
    ],
    hosts: { 'api.example.com:80': plain.port, 'api.example.com:443': tls.port },
    limits: { refusalsRecordedPerMinuteMax: 10_000 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  await tls[Symbol.asyncDispose]();
});

describe.each(['proxy', 'tls', 'http'] as const)('framing on the %s socket', (place) => {
  const open = async (): Promise<RawClient> =>
    place === 'tls'
      ? connectThrough(rig.ports.proxy, { target: 'api.example.com:443', ca: rig.ca.certificate })
      : RawClient.to(rig.ports[place]);
  const target = place === 'proxy' ? 'http://api.example.com/' : '/';

  it('serves the harmless request that the hostile ones are made from', async () => {
    using client = await open();
    const answer = await client.ask(`GET ${target} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`);
    expect(answer.status).toBe(200);
  });

  it.each([...parserRows, ...headRows])('refuses $name', async (row) => {
    const before = plain.requests.length + tls.requests.length;
    using client = await open();
    client.send(row.bytes(target, 'api.example.com'));
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: row.status, json: { code: row.code } });
    // The connection is over: what was smuggled behind is never read as a request.
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
    expect(client.received.toString()).toBe('');
    expect(plain.requests.length + tls.requests.length).toBe(before);
  });

  it('drops chunk extensions and trailers and frames anew', async () => {
    using client = await open();
    const chunks = '1;a=b\r\nx\r\n2;c\r\nyz\r\n0\r\nAuthorization: evil\r\nHost: evil.example.com\r\n\r\n';
    const head = `POST ${target} HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n`;
    expect(await client.ask(head + chunks)).toMatchObject({ status: 200 });
    const seen = (place === 'tls' ? tls : plain).requests.at(-1);
    expect(seen?.body.toString()).toBe('xyz');
    expect(seen?.headers['content-length']).toBe('3');
    expect(seen?.headers).not.toHaveProperty('transfer-encoding');
    expect(seen?.headers).not.toHaveProperty('authorization');
    expect(seen?.headers).not.toHaveProperty('trailer');
  });

  it('drops what is hop-by-hop, what Connection names, and what pretends to be a proxy', async () => {
    using client = await open();
    const lines = [
      'Connection: keep-alive, X-Named',
      'X-Named: 1',
      'Keep-Alive: 5',
      'Proxy-Authorization: Basic eDp5',
      'Proxy-Connection: keep-alive',
      'Forwarded: for=1.2.3.4',
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: evil',
      'Alt-Used: evil',
      'Early-Data: 1',
      'TE: trailers',
      // What CGI and WSGI read as the same variable.
      'X_Forwarded_For: 1.2.3.4',
      'Transfer_Encoding: chunked',
      'Content_Length: 5',
      'X-Real-IP: 127.0.0.1',
      'Accept-Encoding: deflate, GZIP;q=0.5, sdch, br',
      'X-Kept: Yes',
      'x-kEPT: again',
    ];
    const head = `GET ${target}a/../b?q=%2f&r HTTP/1.1\r\nHost: api.example.com\r\n${lines.join('\r\n')}\r\n\r\n`;
    expect(await client.ask(head)).toMatchObject({ status: 200 });
    const seen = (place === 'tls' ? tls : plain).requests.at(-1);
    expect(seen?.target).toBe('/b?q=%2f&r');
    expect(seen?.rawHeaders).toEqual([
      'Host',
      'api.example.com',
      'Accept-Encoding',
      'GZIP;q=0.5, br',
      'X-Kept',
      'Yes',
      'x-kEPT',
      'again',
      'Connection',
      'keep-alive',
    ]);
  });

  it.each([
    'X-HTTP-Method-Override: DELETE',
    'x-http-method: DELETE',
    'X_Method_Override: DELETE',
    'X-Original-URL: /admin',
    'X-Rewrite-Url: /admin',
  ])('refuses %s, which names another request than the one that is judged', async (line) => {
    const before = (place === 'tls' ? tls : plain).requests.length;
    using client = await open();
    const answer = await client.ask(`GET ${target} HTTP/1.1\r\nHost: api.example.com\r\n${line}\r\n\r\n`);
    expect(answer).toMatchObject({ status: 400, json: { code: 'override-header' } });
    expect((place === 'tls' ? tls : plain).requests.length).toBe(before);
  });

  it('reads a body by the headers that go with it, and by one of each', async () => {
    using client = await open();
    const body = gzipSync('{"a":1}');
    const named = `Connection: keep-alive, Content-Encoding\r\nContent-Encoding: gzip\r\nContent-Type: application/json`;
    const head = (lines: string): string =>
      `POST ${target} HTTP/1.1\r\nHost: api.example.com\r\n${lines}\r\nContent-Length: ${body.length}\r\n\r\n`;
    // Without the coding these bytes are no JSON, which is what the server would see.
    expect(await client.ask(Buffer.concat([Buffer.from(head(named)), body]))).toMatchObject({
      status: 400,
      json: { code: 'body-unreadable' },
    });
    using second = await open();
    const twice = 'Content-Type: text/plain\r\nContent-Type: application/json';
    expect(await second.ask(Buffer.concat([Buffer.from(head(twice)), body]))).toMatchObject({ status: 400 });
  });

  it('strips h2c and ends the connection after the answer', async () => {
    using client = await open();
    const lines = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__';
    client.send(`GET ${target} HTTP/1.1\r\nHost: api.example.com\r\n${lines}\r\n\r\n`);
    expect(await client.answer()).toMatchObject({ status: 200 });
    expect((place === 'tls' ? tls : plain).requests.at(-1)?.headers).not.toHaveProperty('upgrade');
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
  });

  it('reads a request that is split at every byte as one', async () => {
    using client = await open();
    const bytes = `POST ${target}split HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\n\r\nabc`;
    for (const byte of bytes) {
      client.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.answer()).toMatchObject({ status: 200 });
    expect((place === 'tls' ? tls : plain).requests.at(-1)).toMatchObject({ target: '/split' });
  });

  it('answers pipelined requests one after the other, in order', async () => {
    using client = await open();
    const one = (path: string): string => `GET ${target}${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;
    client.send(one('p1') + one('p2') + one('p3'));
    for (let i = 0; i < 3; i++) expect(await client.answer()).toMatchObject({ status: 200 });
    const seen = (place === 'tls' ? tls : plain).requests.slice(-3).map((request) => request.target);
    expect(seen).toEqual(['/p1', '/p2', '/p3']);
    expect(await client.ask(one('p4'))).toMatchObject({ status: 200 });
  });

  it('ends a connection that pipelines without end', async () => {
    using client = await open();
    client.send(`GET ${target} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`.repeat(64));
    await client.until(() => client.ended);
    expect(client.ended).toBe(true);
  });
});
