import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient } from './client.ts';
import { Rig, session, upstreamCa } from './rig.ts';

let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue(['api.example.com', 'other.example.com']) });
  rig = await Rig.start({
    grants: [{ allow: 'api.example.com', methods: ['GET', 'HEAD', 'POST'] }],
    hosts: { 'api.example.com:443': sink.port, 'other.example.com:443': sink.port },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

describe('the road', () => {
  it('performs an allowed request inside CONNECT and records it', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'api.example.com:443', ca: rig.ca.certificate });
    const answer = await client.ask('GET /a?x=1 HTTP/1.1\r\nHost: api.example.com\r\nX-CaSe: Kept\r\n\r\n');
    expect(answer).toMatchObject({ status: 200, body: 'canary\n' });
    const seen = sink.requests.at(-1);
    expect(seen?.target).toBe('/a?x=1');
    expect(seen?.rawHeaders).toEqual(expect.arrayContaining(['X-CaSe', 'Kept']));
    await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
    const types = (await rig.entries()).map((entry) => entry.type);
    expect(types.slice(-4)).toEqual(['decision', 'start', 'label', 'outcome']);
  });

  it('denies a host without a grant, readable inside TLS, and dials nothing', async () => {
    const before = sink.connections;
    using client = await connectThrough(rig.ports.proxy, { target: 'other.example.com:443', ca: rig.ca.certificate });
    const answer = await client.ask('GET /secret HTTP/1.1\r\nHost: other.example.com\r\n\r\n');
    expect(answer.status).toBe(403);
    expect(sink.connections).toBe(before);
  });

  it('was warmed up by decisions that nobody made', async () => {
    expect(rig.reports).toEqual([]);
    expect((await rig.entriesOf('decision')).every((entry) => entry.session === session)).toBe(true);
  });

  it('serves its own pages', async () => {
    using client = await RawClient.to(rig.ports.http);
    const answer = await client.ask('GET / HTTP/1.1\r\nHost: cordon.internal\r\n\r\n');
    expect(answer.json['agent']).toBe('tester');
  });
});
