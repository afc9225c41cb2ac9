import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

let server: Server;
let rig: Rig;
let release: Array<() => void> = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === '/hold') release.push(() => response.end('held'));
    else if (request.url === '/flood') {
      const chunk = Buffer.alloc(256 * 1024, 'x');
      const pour = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', pour);
      response.on('error', () => undefined);
      pour();
    } else response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig = await Rig.start({
    grants: [{ allow: 'http://api.example.com' }],
    hosts: { 'api.example.com:80': (server.address() as AddressInfo).port },
    limits: {
      headTimeoutMs: 600,
      keepAliveIdleMs: 900,
      connectionsPerSessionMax: 8,
      requestsInFlightMax: 3,
      requestsPerConnectionMax: 5,
      slowReaderMs: 600,
      refusalsRecordedPerMinuteMax: 20,
      deniedPerMinuteMax: 12,
    },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

const get = (path: string): string => `GET http://api.example.com${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;

describe('limits', () => {
  it('408 for a head that does not come, the first and a later one', async () => {
    using first = await RawClient.to(rig.ports.proxy);
    first.send('GET http://api.exa');
    expect(await first.rest()).toMatch(/^HTTP\/1\.1 408 /);
    using later = await RawClient.to(rig.ports.proxy);
    expect((await later.ask(get('/'))).status).toBe(200);
    later.send('GET http://api.exa');
    expect(await later.rest()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('closes a tunnel in which nothing is said', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n');
    expect(await client.rest()).toBe('HTTP/1.1 200 Connection Established\r\n\r\n');
    using half = await RawClient.to(rig.ports.tls);
    half.send('\x16\x03\x01\x02\x00\x01');
    expect(await half.rest()).toBe('');
  });

  it('closes an idle connection', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    expect((await client.ask(get('/'))).status).toBe(200);
    expect(await client.rest()).toBe('');
    expect(client.ended).toBe(true);
  });

  it('ends a connection after so many requests', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    for (let i = 0; i < 4; i++) expect((await client.ask(get('/'))).headers.get('connection')).toBe('keep-alive');
    expect((await client.ask(get('/'))).headers.get('connection')).toBe('close');
  });

  it('429 for one connection more, and room again when one has gone', async () => {
    await rig.until(() => rig.gateway.stats().sockets === 0);
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.to(rig.ports.proxy)));
    await rig.until(() => rig.gateway.stats().sockets === 8);
    using ninth = await RawClient.to(rig.ports.http);
    expect(await ninth.rest()).toContain('too-many-connections');
    using tenth = await RawClient.to(rig.ports.tls);
    expect(await tenth.rest()).toBe('');
    for (const client of clients) client[Symbol.dispose]();
    await rig.until(() => rig.gateway.stats().sockets === 0);
    using again = await RawClient.to(rig.ports.proxy);
    expect((await again.ask(get('/'))).status).toBe(200);
  });

  it('429 for one request in flight more', async () => {
    release = [];
    const clients = await Promise.all(Array.from({ length: 3 }, () => RawClient.to(rig.ports.proxy)));
    for (const client of clients) client.send(get('/hold'));
    await rig.until(() => release.length === 3);
    using more = await RawClient.to(rig.ports.proxy);
    expect(await more.ask(get('/'))).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
    for (const end of release) end();
    for (const client of clients) expect((await client.answer()).body).toBe('held');
    expect(rig.gateway.stats().inFlight).toBe(0);
    for (const client of clients) client[Symbol.dispose]();
  });

  it('cuts a reader that reads nothing', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.socket.pause();
    client.send(get('/flood'));
    await rig.until(async () => (await rig.entriesOf('outcome')).some((entry) => entry.data['code'] === 'slow-reader'));
  });

  it('records so many refusals one by one and counts the rest', async () => {
    for (let i = 0; i < 30; i++) {
      using client = await RawClient.to(rig.ports.proxy);
      expect((await client.ask('GET /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n')).status).toBe(400);
    }
    expect((await rig.entriesOf('fault')).length).toBe(20);
  });

  it('429 for a session that was denied too often, whatever it asks; what is not decided is not recorded as a decision', async () => {
    const denied = 'GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n';
    const before = (await rig.entriesOf('decision')).length;
    for (let i = 0; i < 12; i++) {
      using client = await RawClient.to(rig.ports.proxy);
      expect((await client.ask(denied)).status).toBe(403);
    }
    for (const request of [denied, get('/')]) {
      using client = await RawClient.to(rig.ports.proxy);
      const answer = await client.ask(request);
      expect(answer.status).toBe(429);
      expect(answer.body.toString()).toContain('too-many-denials');
    }
    expect((await rig.entriesOf('decision')).length).toBe(before + 12);
  });
});
