import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { policyLimits } from '@cordon/policy';
import { systemClock } from '@cordon/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { Rig, type RigOptions, session } from './rig.ts';

const host = 'api.example.com';
let status: number;
let asked: number;
let server: Server;
let skipped: number;

/** Real time, which a test may move on. */
const clock = {
  now: () => systemClock.now() + skipped,
  monotonic: () => systemClock.monotonic() + skipped,
};

beforeEach(async () => {
  [status, asked, skipped] = [200, 0, 0];
  server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status).end('x');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function start(options: RigOptions = {}): Promise<Rig> {
  const { port } = server.address() as AddressInfo;
  return Rig.start({
    grants: [{ allow: `http://${host}` }, { allow: 'http://other.example.com' }],
    hosts: { [`${host}:80`]: port, 'other.example.com:80': port },
    clock,
    ...options,
  });
}

async function ask(rig: Rig, method = 'GET', to = host): Promise<Answer> {
  using client = await RawClient.to(rig.ports.http);
  return await client.ask(`${method} / HTTP/1.1\r\nHost: ${to}\r\nContent-Length: 0\r\n\r\n`);
}

async function denied(rig: Rig, times: number = policyLimits.breakerDenialsMax): Promise<void> {
  for (let i = 0; i < times; i++) expect((await ask(rig, 'DELETE')).json['code']).toBe('no-grant');
}

/** Moves time on; until the next beat the gateway takes its control plane for lost. */
async function skip(rig: Rig, ms: number): Promise<void> {
  skipped += ms;
  await rig.until(() => rig.gateway.stats().live);
}

describe('the breaker of a session', () => {
  it('leaves what was denied five times to reads, elsewhere nothing changes, and says so in the facts', async () => {
    await using rig = await start();
    await denied(rig);
    const closed = await ask(rig, 'DELETE');
    expect(closed).toMatchObject({ status: 403, json: { code: 'flow-R0' } });
    expect(closed.json['next_steps']).toContain(`cordon breaker reset ${session}`);
    expect((await ask(rig)).status).toBe(200);
    expect((await ask(rig, 'DELETE', 'other.example.com')).json['code']).toBe('no-grant');
    const [trip, ...more] = await rig.entriesOf('breaker');
    expect(more).toEqual([]);
    const tick: unknown = expect.any(Number);
    const resource = `http://${host}:80`;
    expect(trip?.data).toEqual({ act: 'trip', action: 'http.request', level: 1, noted: 5, resource, tick });
    // What it was judged by is in its entry, so that whoever reads the ledger can count again.
    const counters = (await rig.entriesOf('decision')).map(({ data }) => data['counters']);
    expect(counters[5]).toEqual({ noted: 5, own: 1, sink: 0, tick });
    expect(counters.map((each) => (each as { noted: number }).noted)).toEqual([0, 1, 2, 3, 4, 5, 5, 5]);
  });

  it('lets go after its time; a second time it closes everything, until a person resets it', async () => {
    await using rig = await start();
    await denied(rig);
    await skip(rig, policyLimits.breakerReadsOnlyMs);
    await denied(rig);
    expect((await ask(rig)).json['code']).toBe('flow-R0');
    await skip(rig, 10 * policyLimits.breakerAgainWithinMs);
    expect((await ask(rig)).json['code']).toBe('flow-R0');
    expect((await ask(rig, 'GET', 'other.example.com')).status).toBe(200);
    const open = await rig.control?.call('breakers', null);
    expect(open).toEqual({
      sessions: [{ session, action: 'http.request', resource: `http://${host}:80`, level: 2 }],
      destinations: [],
    });
    expect(await rig.control?.call('breaker.reset', { session })).toEqual({ reset: 1 });
    expect((await ask(rig)).status).toBe(200);
    expect((await rig.entriesOf('breaker')).map(({ data }) => data['act'])).toEqual(['trip', 'trip', 'reset']);
  });

  it('does not count what it denied itself', async () => {
    await using rig = await start();
    await denied(rig);
    for (let i = 0; i < 3 * policyLimits.breakerDenialsMax; i++) await ask(rig, 'DELETE');
    expect((await ask(rig)).status).toBe(200);
  });

  it('stays closed when the gateway dies, and open again when it was reset', async () => {
    const first = await start();
    await denied(first);
    await skip(first, policyLimits.breakerReadsOnlyMs);
    await denied(first);
    await first.stop();
    const second = await start({ home: first.home });
    expect((await ask(second)).json['code']).toBe('flow-R0');
    await second.control?.call('breaker.reset', { session });
    await second.stop();
    await using third = await start({ home: first.home });
    expect((await ask(third)).status).toBe(200);
  });

  it('counts what is new as closed when all it can remember is tripped', async () => {
    await using rig = await start({ limits: { breakersPerSessionMax: 1 } });
    await denied(rig);
    expect((await ask(rig, 'GET', 'other.example.com')).json['code']).toBe('flow-R0');
    await skip(rig, policyLimits.breakerReadsOnlyMs);
    expect((await ask(rig, 'GET', 'other.example.com')).status).toBe(200);
  });
});

describe('the breaker of a destination', () => {
  async function fail(rig: Rig): Promise<void> {
    status = 503;
    for (let i = 0; i < policyLimits.sinkAsksMin; i++) expect((await ask(rig)).status).toBe(503);
  }

  it('leaves it alone for every session, and one request finds out when it is back', async () => {
    const other = `${session.slice(0, -1)}0`;
    await using rig = await start({ sessions: [other] });
    await fail(rig);
    const before = asked;
    expect((await ask(rig)).json['code']).toBe('flow-R0');
    using client = await RawClient.to(rig.portsOf(other).http);
    expect((await client.ask(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).json['code']).toBe('flow-R0');
    expect(asked).toBe(before);
    const tick: unknown = expect.any(Number);
    const close = { act: 'close', resource: `http://${host}:80`, tick };
    expect((await rig.entriesOf('breaker')).map(({ data }) => data)).toEqual([close]);
    await skip(rig, policyLimits.sinkClosedMs);
    expect((await ask(rig)).status).toBe(503);
    expect((await ask(rig)).json['code']).toBe('flow-R0');
    status = 200;
    await skip(rig, policyLimits.sinkClosedMs);
    expect([(await ask(rig)).status, (await ask(rig)).status]).toEqual([200, 200]);
    expect((await rig.entriesOf('breaker')).map(({ data }) => data)).toEqual([close, { ...close, act: 'open' }]);
  });

  it('hears no answer that a request can provoke', async () => {
    await using rig = await start();
    status = 500;
    for (let i = 0; i < 2 * policyLimits.sinkAsksMin; i++) expect((await ask(rig)).status).toBe(500);
  });

  it('is opened by a person', async () => {
    await using rig = await start();
    await fail(rig);
    expect(await rig.control?.call('breaker.reset', { session: null })).toEqual({ reset: 1 });
    status = 200;
    expect((await ask(rig)).status).toBe(200);
    const [, reset] = await rig.entriesOf('breaker');
    expect([reset?.session, reset?.data['act']]).toEqual([null, 'reset']);
  });
});
