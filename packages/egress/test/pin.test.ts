import { createServer, type Server } from 'node:net';
import { type OriginRule, systemClock } from '@cordon/protocol';
import { DnsServer, type Zone } from '@cordon/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { createResolver, Destinations, dial, type HostView, type Pin, parseOverrides } from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { permitFor } from './permit.ts';

const live = new AbortController().signal;
const host: HostView = { self: ['127.0.0.1'], control: [] };
const loopback = (origin: string): OriginRule[] => [
  { origin, addresses: ['127.0.0.0/8', '::1/128'], trusted: true, bodyOnRead: false, encodedSlash: false },
];

/** A clock that a test moves; DNS timers run on the real one. */
class Ahead {
  ms = 0;
  monotonic(): number {
    return systemClock.monotonic() + this.ms;
  }
}

async function world(zone: Zone): Promise<{ dns: DnsServer; clock: Ahead; destinations: Destinations }> {
  const dns = await DnsServer.start(zone);
  open.push(dns);
  const clock = new Ahead();
  const resolver = createResolver({ clock, servers: [dns.address] });
  return { dns, clock, destinations: new Destinations({ resolver, clock, hostView: () => host }) };
}
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const item of open.splice(0)) await item[Symbol.asyncDispose]();
});

const pinned = async (destinations: Destinations, origin: string, rules: OriginRule[] = []): Promise<Pin> => {
  const pin = await destinations.pin(permitFor(origin), rules, live);
  if ('refused' in pin) throw new Error(`${pin.code}: ${pin.detail}`);
  return pin;
};

const listen = async (
  address: string,
  onConnect = (): void => undefined,
): Promise<{ port: number; server: Server }> => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnect();
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  open.push({ [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) });
  return { port: (server.address() as { port: number }).port, server };
};

describe('resolution', () => {
  test('both families at once, every address in the pin', async () => {
    const { dns, destinations } = await world({
      'a.example': { a: ['8.8.8.8', '8.8.4.4'], aaaa: ['2606:4700::1111'] },
    });
    const pin = await pinned(destinations, 'https://a.example:443');
    expect([...pin.addresses].sort()).toEqual(['2606:4700::1111', '8.8.4.4', '8.8.8.8']);
    expect(pin.classes).toEqual(['public', 'public', 'public']);
    expect(pin.override).toBe(false);
    expect([...dns.queries].sort()).toEqual(['A a.example', 'AAAA a.example']);
  });

  test('one family may be empty or broken; nothing is dialled that was not answered', async () => {
    const { destinations } = await world({ 'a.example': { a: ['8.8.8.8'] } });
    expect((await pinned(destinations, 'https://a.example:443')).addresses).toEqual(['8.8.8.8']);
  });

  test('single flight, then the cache', async () => {
    const { dns, destinations } = await world({ 'a.example': { a: ['8.8.8.8'] } });
    await Promise.all(Array.from({ length: 50 }, () => pinned(destinations, 'https://a.example:443')));
    await pinned(destinations, 'https://a.example:8443');
    expect(dns.queries.length).toBe(2);
  });

  test('one private among ten public addresses refuses the name, in either family', async () => {
    const many = Array.from({ length: 10 }, (_, i) => `8.8.4.${i + 1}`);
    const { destinations } = await world({
      'four.example': { a: [...many, '10.0.0.1'] },
      'six.example': { a: many, aaaa: ['fd00::1'] },
    });
    for (const origin of ['https://four.example:443', 'https://six.example:443']) {
      expect(await destinations.pin(permitFor(origin), [], live)).toMatchObject({
        code: 'address-forbidden',
        addressClass: 'private',
      });
    }
  });

  test('a CNAME to a private name, and a chain of them, end at the address', async () => {
    const zone: Zone = {
      'a.example': { cname: 'b.internal' },
      'b.internal': { a: ['10.1.1.1'] },
      'end.example': { a: ['169.254.169.254'] },
    };
    for (let i = 0; i < 8; i++) zone[`c${i}.example`] = { cname: i === 7 ? 'end.example' : `c${i + 1}.example` };
    const { destinations } = await world(zone);
    expect(await destinations.pin(permitFor('https://a.example:443'), [], live)).toMatchObject({
      addressClass: 'private',
    });
    expect(await destinations.pin(permitFor('http://c0.example:80'), [], live)).toMatchObject({
      addressClass: 'metadata',
    });
  });

  test.each(['127.0.0.1', '0.0.0.0', '169.254.169.254', '192.168.0.1', '224.0.0.1'])(
    'a public name for %s is refused',
    async (a) => {
      const { destinations } = await world({ 'a.example': { a: [a] } });
      expect(await destinations.pin(permitFor('https://a.example:443'), [], live)).toMatchObject({
        code: 'address-forbidden',
      });
    },
  );

  test('NAT64 and mapped answers for inner addresses are refused', async () => {
    for (const aaaa of [
      '64:ff9b::7f00:1',
      '0:0:0:0:0:ffff:7f00:1',
      '2002:7f00:1::1',
      '2001:0:7f00:1::1',
      '2606:4700::5efe:7f00:1',
    ]) {
      const { destinations } = await world({ 'a.example': { aaaa: [aaaa] } });
      expect(await destinations.pin(permitFor('https://a.example:443'), [], live), aaaa).toMatchObject({
        code: 'address-forbidden',
      });
    }
  });

  test('an unknown name is refused, and for five seconds not asked again', async () => {
    const { dns, clock, destinations } = await world({});
    for (let i = 0; i < 3; i++) {
      expect(await destinations.pin(permitFor('https://no.example:443'), [], live)).toMatchObject({
        code: 'name-unresolved',
        status: 502,
      });
    }
    expect(dns.queries.length).toBe(2);
    dns.zone['no.example'] = { a: ['8.8.8.8'] };
    clock.ms = limits.dnsNegativeMs + 1;
    expect((await pinned(destinations, 'https://no.example:443')).addresses).toEqual(['8.8.8.8']);
  });

  test('a TTL of 0 is held for 5 s, one of a day for 300 s', async () => {
    const { clock, destinations } = await world({
      'zero.example': { a: ['8.8.8.8'], ttl: 0 },
      'day.example': { a: ['8.8.8.8'], ttl: 86_400 },
    });
    const before = clock.monotonic();
    const zero = await pinned(destinations, 'https://zero.example:443');
    const day = await pinned(destinations, 'https://day.example:443');
    const after = clock.monotonic();
    expect(zero.expiresAt).toBeGreaterThanOrEqual(before + limits.dnsTtlMinMs);
    expect(zero.expiresAt).toBeLessThanOrEqual(after + limits.dnsTtlMinMs);
    expect(day.expiresAt).toBeLessThanOrEqual(after + limits.dnsTtlMaxMs);
  });

  test('a name with too many addresses is refused', async () => {
    const a = Array.from({ length: 70 }, (_, i) => `8.8.4.${i + 1}`);
    const { dns, destinations } = await world({
      'a.example': { a: a.slice(0, 20), aaaa: Array.from({ length: 50 }, (_, i) => `2606:4700::${i + 1}`) },
    });
    expect(await destinations.pin(permitFor('https://a.example:443'), [], live)).toMatchObject({
      code: 'name-unresolved',
    });
    expect(dns.queries.length).toBeGreaterThan(0);
  });

  test('more lookups at once than the limit are refused, not queued', async () => {
    const zone: Zone = Object.fromEntries(
      Array.from({ length: limits.dnsInFlightMax }, (_, i) => [`n${i}.example`, { silent: true }]),
    );
    const { dns, destinations } = await world(zone);
    const stop = new AbortController();
    const waiting = Object.keys(zone).map((name) =>
      destinations.pin(permitFor(`https://${name}:443`), [], stop.signal).catch((error: unknown) => error),
    );
    expect(await destinations.pin(permitFor('https://one-more.example:443'), [], live)).toMatchObject({
      code: 'resolver-busy',
      status: 503,
    });
    stop.abort(new Error('given up'));
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => new Error('given up')));
    expect(dns.queries).not.toContain('A one-more.example');
  });

  test('silent name servers end in a refusal', async () => {
    const { destinations } = await world({ 'a.example': { silent: true } });
    expect(await destinations.pin(permitFor('https://a.example:443'), [], live)).toMatchObject({
      code: 'resolver-timeout',
      status: 504,
    });
  });

  test('what is refused without DNS is never asked for', async () => {
    const { dns, destinations } = await world({});
    for (const origin of [
      'http://metadata.google.internal:80',
      'https://a.example:2375',
      'http://127.0.0.1:80',
      'https://A.example:443',
    ]) {
      expect(await destinations.pin(permitFor(origin), [], live)).toHaveProperty('refused', true);
      expect(destinations.check(origin, [])).toHaveProperty('refused', true);
    }
    expect(dns.queries).toEqual([]);
  });

  test("the host's hosts file is not read", async () => {
    const { destinations } = await world({});
    expect(
      await destinations.pin(permitFor('http://localhost:80'), loopback('http://localhost:80'), live),
    ).toMatchObject({ refused: true });
  });
});

describe('rebinding', () => {
  test('a name that changes between pin and dial is dialled where it was pinned', async () => {
    const { port } = await listen('127.0.0.1');
    const { dns, clock, destinations } = await world({ 'a.example': { a: ['127.0.0.1'], ttl: 0 } });
    const origin = `http://a.example:${port}`;
    const first = await pinned(destinations, origin, loopback(origin));
    dns.zone['a.example'] = { a: ['10.0.0.1'], ttl: 0 };
    const socket = await dial(first, clock.monotonic(), live);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
    clock.ms += limits.dnsTtlMaxMs;
    expect(first.addresses).toEqual(['127.0.0.1']);
    // The next pin is classified anew, and refused.
    expect(await destinations.pin(permitFor(origin), loopback(origin), live)).toMatchObject({
      addressClass: 'private',
    });
    // The old one is too old to be dialled.
    await expect(dial(first, clock.monotonic(), live)).rejects.toMatchObject({ code: 'upstream-connect' });
  });

  test('servers that alternate good and bad answers are refused each time the bad one comes', async () => {
    const { dns, clock, destinations } = await world({});
    for (let i = 0; i < 6; i++) {
      const bad = i % 2 === 1;
      dns.zone['a.example'] = { a: [bad ? '127.0.0.1' : '8.8.8.8'], ttl: 0 };
      clock.ms += limits.dnsTtlMinMs + 1;
      const pin = await destinations.pin(permitFor('https://a.example:443'), [], live);
      expect('refused' in pin).toBe(bad);
    }
  });
});

describe('dial', () => {
  test('connects to an address of the pin, without delay for small writes', async () => {
    const { port } = await listen('127.0.0.1');
    const { clock, destinations } = await world({ 'a.example': { a: ['127.0.0.1'] } });
    const origin = `http://a.example:${port}`;
    const socket = await dial(await pinned(destinations, origin, loopback(origin)), clock.monotonic(), live);
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  test('a dead address costs one stagger, and at most four are tried', async () => {
    const { port } = await listen('127.0.0.5');
    const { clock, destinations } = await world({
      'near.example': { a: ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] },
      'far.example': { a: ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'] },
    });
    const near = `http://near.example:${port}`;
    const socket = await dial(await pinned(destinations, near, loopback(near)), clock.monotonic(), live);
    expect(socket.remoteAddress).toBe('127.0.0.5');
    socket.destroy();
    const far = `http://far.example:${port}`;
    await expect(dial(await pinned(destinations, far, loopback(far)), clock.monotonic(), live)).rejects.toMatchObject({
      code: 'upstream-connect',
    });
  });

  test('an abort ends it', async () => {
    const { clock, destinations } = await world({ 'a.example': { a: ['127.0.0.1'] } });
    const origin = 'http://a.example:9';
    const stop = new AbortController();
    stop.abort(new Error('stop'));
    await expect(
      dial(await pinned(destinations, origin, loopback(origin)), clock.monotonic(), stop.signal),
    ).rejects.toThrow('stop');
  });
});

describe('test overrides', () => {
  const destinationsWith = (hosts: Record<string, string>): Destinations =>
    new Destinations({
      resolver: { resolve: () => Promise.reject(new Error('asked')) },
      clock: systemClock,
      hostView: () => host,
      overrides: parseOverrides(hosts),
    });

  test('one host and port goes to loopback, marked in the pin; others are not touched', async () => {
    const destinations = destinationsWith({ 'api.anthropic.com:443': '127.0.0.1:4443' });
    const pin = await pinned(destinations, 'https://api.anthropic.com:443');
    expect(pin).toMatchObject({
      override: true,
      addresses: ['127.0.0.1'],
      connectPort: 4443,
      port: 443,
      host: 'api.anthropic.com',
    });
    expect(destinations.check('https://api.anthropic.com:443', [])).toBeNull();
    await expect(destinations.pin(permitFor('https://api.anthropic.com:444'), [], live)).rejects.toThrow('asked');
  });

  test.each<[string, string]>([
    ['a.example:443', '10.0.0.1:443'],
    ['a.example:443', 'localhost:443'],
    ['a.example:443', '127.0.0.1'],
    ['a.example:443', '127.0.0.1:70000'],
    ['a.example', '127.0.0.1:443'],
  ])('%s → %s is no override', (from, to) => {
    expect(() => parseOverrides({ [from]: to })).toThrow(expect.objectContaining({ code: 'override-invalid' }));
  });
});
