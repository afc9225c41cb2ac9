import { HttpSink } from '@cordon/testkit';
import {
  brokenLabels,
  embeddedAddresses,
  forbiddenAddresses,
  lookalikes,
  loopbackSpellings,
  metadataAddresses,
  metadataHosts,
  targetTricks,
  unicodeHosts,
} from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { Rig } from './rig.ts';

/** Every address that a hostile name or literal wants us to dial leads here, or nowhere. */
let inside: HttpSink;
let outside: HttpSink;
let rig: Rig;
const granted = 'api.example.com';
/** An address of this host that looks public. */
const ownPublic = '8.8.4.4';

const inUrl = (address: string): string => (address.includes(':') ? `[${address}]` : address);
const literals = [...forbiddenAddresses, ...[...embeddedAddresses, ...metadataAddresses].map(({ address }) => address)];

beforeAll(async () => {
  inside = await HttpSink.start();
  outside = await HttpSink.start({
    answer: (request) => ({ status: 302, headers: { location: decodeURIComponent(request.target.slice(2)) } }),
  });
  const { port } = inside;
  const named = [...literals.map(inUrl), ownPublic, ...metadataHosts.map(({ host }) => host)];
  rig = await Rig.start({
    // Policy allows every one of them: what refuses is the judgement of the address alone.
    grants: [
      { allow: `http://${granted}` },
      ...named.flatMap((host) => [{ allow: `http://${host}` }, { allow: `http://${host}:${port}` }]),
    ],
    hosts: { [`${granted}:80`]: outside.port },
    hostView: { self: [ownPublic], control: [{ address: '0.0.0.0', port }] },
    // Even a grant of the tenant for all addresses reaches no listener of our own, no metadata and nothing reserved.
    tenantOrigins: [`http://127.0.0.1:${port}`, 'http://169.254.169.254:80', 'http://[::ffff:a9fe:a9fe]:80'].map(
      (origin) => ({ origin, addresses: ['0.0.0.0/0', '::/0'], trusted: true, bodyOnRead: false, encodedSlash: false }),
    ),
    limits: { refusalsRecordedPerMinuteMax: 10_000 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  // Not a byte, not even a connection.
  expect(inside.connections).toBe(0);
  await inside[Symbol.asyncDispose]();
  await outside[Symbol.asyncDispose]();
});

async function ask(target: string, host: string): Promise<Answer> {
  using client = await RawClient.to(rig.ports.proxy);
  return await client.ask(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
}

async function connect(target: string): Promise<Answer> {
  using client = await RawClient.to(rig.ports.proxy);
  return await client.ask(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
}

const refusals = /^(host-not-canonical|authority-mismatch|target-form|target-not-canonical|malformed-request)$/;

describe('spellings of 127.0.0.1 and ::1', () => {
  it.each(loopbackSpellings)('400 for %s: as URL, CONNECT, Host', async (spelling) => {
    const { port } = inside;
    const byUrl = await ask(`http://${spelling}:${port}/`, `${spelling}:${port}`);
    const byConnect = await connect(`${spelling}:${port}`);
    using plain = await RawClient.to(rig.ports.http);
    const byHost = await plain.ask(`GET / HTTP/1.1\r\nHost: ${spelling}:${port}\r\n\r\n`);
    for (const answer of [byUrl, byConnect, byHost]) {
      expect(answer.status).toBe(400);
      expect(answer.json['code']).toMatch(refusals);
    }
  });
});

describe('addresses that are never dialled, though a grant names each', () => {
  it.each(literals)('403 for %s', async (address) => {
    const host = inUrl(address);
    for (const port of [80, inside.port]) {
      const authority = port === 80 ? host : `${host}:${port}`;
      expect(await ask(`http://${authority}/`, authority)).toMatchObject({
        status: 403,
        json: { code: 'address-forbidden' },
      });
    }
  });

  it('an address of this host that looks public', async () => {
    expect(await ask(`http://${ownPublic}/`, ownPublic)).toMatchObject({ json: { code: 'address-forbidden' } });
  });

  it.each(metadataHosts)('$cloud: $host, without a question to any name server', async ({ host }) => {
    expect(await ask(`http://${host}/`, host)).toMatchObject({ status: 403, json: { code: 'name-forbidden' } });
  });

  it('a listener of ours under a grant of the tenant for every address', async () => {
    const authority = `127.0.0.1:${inside.port}`;
    const answer = await ask(`http://${authority}/`, authority);
    expect(answer).toMatchObject({ status: 403, json: { code: 'address-forbidden' } });
    expect(answer.json['detail']).toContain('is a control address');
  });

  it.each(['169.254.169.254', '::ffff:a9fe:a9fe'])('%s under such a grant', async (address) => {
    expect(await ask(`http://${inUrl(address)}/`, inUrl(address))).toMatchObject({
      json: { code: 'address-forbidden' },
    });
  });

  it('each is recorded: allowed by policy, no byte sent', async () => {
    const outcomes = await rig.entriesOf('outcome');
    expect(outcomes.length).toBeGreaterThan(2 * literals.length);
    for (const { data } of outcomes) {
      expect(data['code']).toMatch(/^(address|name)-forbidden$/);
      expect(data).toMatchObject({ bytesOut: 0, doubt: false, address: null, status: null });
    }
  });
});

describe('redirects', () => {
  const targets = [
    ...loopbackSpellings.map((host) => `http://${host}/`),
    ...literals.map((address) => `http://${inUrl(address)}/`),
    ...metadataHosts.map(({ host }) => `http://${host}/`),
  ];

  it('into each of them are shown and not followed', async () => {
    const before = outside.requests.length;
    using client = await RawClient.to(rig.ports.proxy);
    for (const target of targets) {
      const path = `/?${encodeURIComponent(target)}`;
      const answer = await client.ask(`GET http://${granted}${path} HTTP/1.1\r\nHost: ${granted}\r\n\r\n`);
      expect(answer.status).toBe(302);
      expect(answer.headers.get('location')).toBe(target);
    }
    expect(outside.requests.length).toBe(before + targets.length);
    expect(inside.connections).toBe(0);
  });
});

describe('userinfo, backslashes, names', () => {
  it.each(targetTricks)('400: $name', async ({ target }) => {
    const before = outside.connections;
    for (const host of [granted, 'evil.example.com']) {
      const answer = await ask(target(granted), host);
      expect(answer.status).toBe(400);
      expect(answer.json['code']).toMatch(refusals);
    }
    expect(outside.connections).toBe(before);
  });

  it.each(unicodeHosts)('400: $name', async ({ host }) => {
    expect((await ask(`http://${host}/`, granted)).status).toBe(400);
    expect((await ask(`http://${host}/`, host)).status).toBe(400);
    using plain = await RawClient.to(rig.ports.http);
    expect((await plain.ask(Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`))).status).toBe(400);
    expect((await connect(`${Buffer.from(host).toString('latin1')}:80`)).status).toBe(400);
  });

  it.each(brokenLabels)('400, no host name: %s', async (host) => {
    expect(await ask(`http://${host}/`, host)).toMatchObject({ status: 400, json: { code: 'host-not-canonical' } });
  });

  it.each(lookalikes)('403, another host: %s', async (host) => {
    expect(await ask(`http://${host}/`, host)).toMatchObject({ status: 403, json: { code: 'no-grant' } });
  });

  it('the granted host in capitals is the granted host', async () => {
    expect((await ask(`http://${granted.toUpperCase()}/?http%3A%2F%2Fx%2F`, granted)).status).toBe(302);
  });
});
