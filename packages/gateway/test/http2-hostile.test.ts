import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type FramesEnd, h2, h2FloodRows, h2HeadRows, h2PacedFloods, h2SessionRows } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RawH2 } from './h2-client.ts';
import { Rig, upstreamCa } from './rig.ts';

const host = 'api.example.com';
let server: Server;
let rig: Rig;
const requests: string[] = [];

beforeAll(async () => {
  const leaf = upstreamCa.issue([host]);
  server = createServer({ key: leaf.key, cert: leaf.cert }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    request.resume();
    if (request.url !== '/held') response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  rig = await Rig.start({
    grants: [{ allow: `https://${host}` }],
    hosts: { [`${host}:443`]: (server.address() as AddressInfo).port },
    // Nothing is given back with time, or a slow machine would see other counts than a fast one.
    limits: {
      refusalsRecordedPerMinuteMax: 10_000,
      ...{ h2ResetsPerSecond: 0, h2HeadsPerSecond: 0, h2ControlFramesPerSecond: 0 },
    },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  requests.length = 0;
});

async function faultCodes(from: number): Promise<string[]> {
  return (await rig.entriesOf('fault')).slice(from).map((entry) => String(entry.data['code']));
}

function ask(stream: number, path = '/after'): Buffer {
  const fields: h2.Fields = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', host],
    [':path', path],
  ];
  return h2.headers(stream, fields);
}

/** The connection still serves others: one stream's mistake is nobody else's. */
async function servesOn(client: RawH2): Promise<void> {
  await client.send(ask(20_001));
  await client.until(() => client.endOf(20_001) !== null || client.ended);
  expect(client.bodyOf(20_001)).toBe('ok');
}

async function expectEnd(client: RawH2, end: FramesEnd, before: number): Promise<void> {
  switch (end.kind) {
    case 'answer': {
      await client.until(() => client.endOf(1) !== null || client.ended);
      const problem: unknown = JSON.parse(client.bodyOf(1));
      expect(problem).toMatchObject({ status: end.status, code: end.code });
      await servesOn(client);
      expect(requests).toEqual(['GET /after']);
      expect(await faultCodes(before)).toEqual([end.code]);
      return;
    }
    case 'reset':
      await client.until(() => client.endOf(1) !== null || client.ended);
      expect(client.endOf(1)).toBe(end.error);
      await servesOn(client);
      expect(requests).toEqual(['GET /after']);
      return;
    case 'closed':
      await client.until(() => client.ended);
      expect(await faultCodes(before)).toEqual([]);
      return;
    case 'goaway':
      await client.until(() => client.ended);
      // Where nghttp2 ends the session, Node closes the socket with it, and what was not yet written is lost.
      if (end.code === 'http2-abuse' || client.goaway !== null) expect(client.goaway).toBe(end.error);
      await rig.until(async () => (await faultCodes(before)).includes(end.code));
      return;
  }
}

describe.each([
  ['heads', h2HeadRows],
  ['connections', h2SessionRows],
  ['floods', h2FloodRows],
])('hostile %s over HTTP/2', (_name, rows) => {
  it.each(rows)('$name', async ({ bytes, end }) => {
    const before = (await rig.entriesOf('fault')).length;
    using client = await RawH2.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
    void client.send(bytes(host));
    await expectEnd(client, end, before);
    // None of it reached the server, and everybody else is served.
    expect(requests.filter((request) => !/ \/(after|held|x)$/.test(request))).toEqual([]);
    using next = await RawH2.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
    await next.send(Buffer.concat([h2.hello, h2.settingsAck, ask(1, '/after')]));
    await next.until(() => next.endOf(1) !== null || next.ended);
    expect(next.bodyOf(1)).toBe('ok');
  });
});

describe('floods that wait for each answer', () => {
  it.each(h2PacedFloods)('$name', async ({ bytes }) => {
    const before = (await rig.entriesOf('fault')).length;
    using client = await RawH2.through(rig.ports.proxy, `${host}:443`, rig.ca.certificate);
    // What was earned by one good request does not last for ever.
    await client.send(Buffer.concat([h2.hello, h2.settingsAck, ask(1)]));
    await client.until(() => client.endOf(1) !== null);
    let streams = 1;
    while (!client.ended && streams < 1_000) {
      const stream = 1 + 2 * streams;
      await client.send(bytes(host, stream));
      await client.until(() => client.endOf(stream) !== null || client.ended);
      streams += 1;
    }
    expect(streams).toBeLessThan(200);
    await client.until(() => client.ended);
    expect(client.goaway).toBe(h2.errorCode.enhanceYourCalm);
    await rig.until(async () => (await faultCodes(before)).includes('http2-abuse'));
    expect(requests).toEqual(['GET /after']);
  });
});
