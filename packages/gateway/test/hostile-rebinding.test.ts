import { type OriginRule, systemClock } from '@cordon/protocol';
import { DnsServer, HttpSink, type Zone } from '@cordon/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits as egressLimits } from '../../egress/src/limits.ts';
import { type Answer, RawClient } from './client.ts';
import { Rig } from './rig.ts';

/** Stands still unless a test moves it, however busy the machine is; sockets and timers stay on the real one. */
class StillClock {
  ms = 0;
  readonly #now = systemClock.now();
  readonly #monotonic = systemClock.monotonic();
  now(): number {
    return this.#now + this.ms;
  }
  monotonic(): number {
    return this.#monotonic + this.ms;
  }
}

const name = 'rebind.example';
let good: HttpSink;
let canary: HttpSink;
let dns: DnsServer;
let rig: Rig;
let clock: StillClock;

/** The tenant lets the name be 127.0.0.1 and 127.0.0.2, and nothing else of this host. */
beforeEach(async () => {
  good = await HttpSink.start();
  canary = await HttpSink.start();
  dns = await DnsServer.start({});
  clock = new StillClock();
  const ports = [good.port, canary.port];
  const rule = (port: number): OriginRule => ({
    origin: `http://${name}:${port}`,
    addresses: ['127.0.0.1/32', '127.0.0.2/32'],
    trusted: true,
    bodyOnRead: false,
    encodedSlash: false,
  });
  rig = await Rig.start({
    grants: ports.map((port) => ({ allow: `http://${name}:${port}` })),
    tenantOrigins: [rule(good.port), rule(canary.port)],
    hostView: { self: ['127.0.0.1', '127.0.0.2', '127.0.0.3'], control: [] },
    dns: [dns.address],
    clock,
    leaseMs: 600_000,
  });
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await dns[Symbol.asyncDispose]();
  await good[Symbol.asyncDispose]();
  await canary[Symbol.asyncDispose]();
});

async function ask(client: RawClient, port = good.port): Promise<Answer> {
  return await client.ask(`GET http://${name}:${port}/ HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
}

/** What the servers answer from the next question on; the answers so far are as old as their TTL. */
function rebind(entry: Zone[string]): void {
  dns.zone[name] = entry;
  clock.ms += egressLimits.dnsTtlMinMs + 1;
}

async function lastOutcome(): Promise<Readonly<Record<string, unknown>>> {
  // Written after the answer's last byte has gone.
  await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
  return (await rig.entriesOf('outcome')).at(-1)?.data ?? {};
}

describe('a name that changes', () => {
  it('between two uses of a kept connection: the old connection is not used for the new address', async () => {
    dns.zone[name] = { a: ['127.0.0.1'], ttl: 1 };
    using client = await RawClient.to(rig.ports.proxy);
    expect((await ask(client)).status).toBe(200);
    expect((await ask(client)).status).toBe(200);
    expect(good.connections).toBe(1);
    // Allowed too, but nobody listens there: a request that reached the old socket would be answered.
    rebind({ a: ['127.0.0.2'], ttl: 1 });
    expect(await ask(client)).toMatchObject({ status: 502, json: { code: 'upstream-connect' } });
    expect(good.requests.length).toBe(2);
    rebind({ a: ['10.0.0.1'], ttl: 1 });
    expect(await ask(client)).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    expect(good.requests.length).toBe(2);
    expect(await lastOutcome()).toMatchObject({ code: 'address-forbidden', bytesOut: 0, address: null });
    // Back again: classified anew, and served.
    rebind({ a: ['127.0.0.1'], ttl: 1 });
    expect((await ask(client)).status).toBe(200);
    expect(await lastOutcome()).toMatchObject({ code: 'relayed', address: '127.0.0.1' });
  });

  it('with a TTL of 0: one question for a burst, and each later answer is judged', async () => {
    dns.zone[name] = { a: ['127.0.0.1'], ttl: 0 };
    using client = await RawClient.to(rig.ports.proxy);
    for (let i = 0; i < 20; i++) expect((await ask(client)).status).toBe(200);
    expect(dns.queries).toEqual([`A ${name}`, `AAAA ${name}`]);
    rebind({ a: ['127.0.0.3'], ttl: 0 });
    expect(await ask(client)).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    expect(good.requests.length).toBe(20);
  });

  it('at each question: the good answer is served, the bad one refused, every time', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    for (let i = 0; i < 10; i++) {
      const bad = i % 2 === 1;
      rebind(bad ? { aaaa: ['::1'], ttl: 0 } : { a: ['127.0.0.1'], ttl: 0 });
      expect((await ask(client, canary.port)).status).toBe(bad ? 403 : 200);
    }
    expect(canary.requests.length).toBe(5);
  });

  it('between the pin and the dial: what is dialled is what was judged', async () => {
    dns.zone[name] = { a: ['127.0.0.1'], ttl: 0 };
    // The second answer is there before the first connection is made; nobody asks for it.
    const answering = RawClient.to(rig.ports.proxy).then(async (client) => {
      using own = client;
      return await ask(own);
    });
    await rig.until(() => dns.queries.length === 2);
    dns.zone[name] = { a: ['127.0.0.3'], ttl: 0 };
    expect((await answering).status).toBe(200);
    expect(dns.queries.length).toBe(2);
    expect(await lastOutcome()).toMatchObject({ address: '127.0.0.1' });
  });
});

describe('an answer with more than one address', () => {
  const publics = Array.from({ length: 10 }, (_, i) => `8.8.4.${i + 1}`);

  it.each<[string, Zone[string]]>([
    ['one private among ten public', { a: [...publics, '10.0.0.1'] }],
    ['one private first', { a: ['192.168.0.1', ...publics] }],
    ['one private of the other family', { a: publics, aaaa: ['fd00::1'] }],
    ['one metadata among ten public', { a: [...publics, '169.254.169.254'] }],
    ['this host beside an allowed one', { a: ['127.0.0.1', '127.0.0.3'] }],
    ['NAT64 loopback beside public', { a: publics, aaaa: ['64:ff9b::7f00:1'] }],
    ['mapped loopback alone', { aaaa: ['0:0:0:0:0:ffff:7f00:1'] }],
    ['6to4', { aaaa: ['2002:7f00:1::1'] }],
    ['Teredo', { aaaa: ['2001:0:7f00:1::1'] }],
    ['ISATAP', { aaaa: ['2606:4700::5efe:7f00:1'] }],
    ['unspecified', { a: ['0.0.0.0'] }],
  ])('%s refuses the name', async (_name, entry) => {
    dns.zone[name] = entry;
    using client = await RawClient.to(rig.ports.proxy);
    expect(await ask(client)).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    expect(good.connections + canary.connections).toBe(0);
    expect(await lastOutcome()).toMatchObject({ code: 'address-forbidden', bytesOut: 0, doubt: false });
  });

  it('a CNAME to a private name, and a chain to metadata', async () => {
    dns.zone['b.internal'] = { a: ['10.1.1.1'], ttl: 0 };
    dns.zone['end.example'] = { a: ['169.254.169.254'], ttl: 0 };
    for (let i = 0; i < 8; i++) dns.zone[`c${i}.example`] = { cname: i === 7 ? 'end.example' : `c${i + 1}.example` };
    using client = await RawClient.to(rig.ports.proxy);
    for (const cname of ['b.internal', 'c0.example']) {
      rebind({ cname, ttl: 0 });
      expect(await ask(client)).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    }
  });

  it('no name is asked for that no grant allows', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    const line = 'GET http://secret-data.evil.example/ HTTP/1.1\r\nHost: secret-data.evil.example\r\n\r\n';
    expect(await client.ask(line)).toMatchObject({ status: 403, json: { code: 'no-grant' } });
    expect(dns.queries).toEqual([]);
  });
});
