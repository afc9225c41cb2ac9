import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient, secure } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue(['api.example.com', 'other.example.com', '127.0.0.1']) });
  rig = await Rig.start({
    grants: [{ allow: 'api.example.com' }, { allow: 'other.example.com' }, { allow: 'api.example.com:8443' }],
    hosts: {
      'api.example.com:443': sink.port,
      'other.example.com:443': sink.port,
      'api.example.com:8443': sink.port,
    },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

const get = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const inside = (target: string, servername?: string): Promise<RawClient> =>
  connectThrough(rig.ports.proxy, {
    target,
    ca: rig.ca.certificate,
    ...(servername === undefined ? {} : { servername }),
  });

async function refusedRaw(head: string): Promise<{ status: number; code: unknown }> {
  using client = await RawClient.to(rig.ports.proxy);
  const answer = await client.ask(head);
  return { status: answer.status, code: answer.json['code'] };
}

describe('agreement of CONNECT, SNI and authority', () => {
  it('421 when the Host differs from the connection, though both are granted', async () => {
    const before = sink.requests.length;
    using client = await inside('api.example.com:443');
    const answer = await client.ask(get('other.example.com'));
    expect(answer).toMatchObject({ status: 421, json: { code: 'misdirected-request' } });
    expect(await client.rest()).toBe('');
    expect(sink.requests.length).toBe(before);
  });

  it('421 when the authority changes on the second request', async () => {
    using client = await inside('api.example.com:443');
    expect((await client.ask(get('api.example.com'))).status).toBe(200);
    expect((await client.ask(get('other.example.com'))).status).toBe(421);
  });

  it('421 when the ports differ', async () => {
    using client = await inside('api.example.com:8443');
    expect((await client.ask(get('api.example.com'))).status).toBe(421);
    using again = await inside('api.example.com:8443');
    expect((await again.ask(get('api.example.com:8443'))).status).toBe(200);
  });

  it('421, readable inside TLS, when SNI differs from CONNECT', async () => {
    using client = await inside('api.example.com:443', 'other.example.com');
    expect(await client.ask(get('other.example.com'))).toMatchObject({ status: 421 });
  });

  it('closes when there is no SNI for a name', async () => {
    await expect(inside('api.example.com:443', '')).rejects.toThrow();
  });

  it('takes a missing SNI where CONNECT names an IP literal, and decides about the literal', async () => {
    using client = await inside('192.0.2.7:443', '');
    expect(await client.ask(get('192.0.2.7'))).toMatchObject({ status: 403, json: { code: 'no-grant' } });
  });

  it('an absolute target inside must name the same host and scheme', async () => {
    using client = await inside('api.example.com:443');
    const ask = (url: string): string => `GET ${url} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;
    expect((await client.ask(ask('https://api.example.com/x'))).status).toBe(200);
    expect((await client.ask(ask('http://api.example.com/x'))).status).toBe(421);
  });

  it('plain http inside CONNECT is http, not https', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    expect(await connectPlain(client, 'api.example.com:80')).toContain(' 200 ');
    // No grant says plain http, so the same host over https being granted does not help.
    expect(await client.ask(get('api.example.com'))).toMatchObject({ status: 403, json: { code: 'no-grant' } });
  });

  it('CONNECT is refused for what is no host:port', async () => {
    for (const target of [
      'api.example.com',
      'api.example.com:0',
      'api.example.com:99999',
      'user@api.example.com:443',
      ':443',
    ]) {
      const seen = await refusedRaw(`CONNECT ${target} HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n`);
      expect(seen.status, target).toBe(400);
    }
    for (const host of [
      '127.1',
      '0x7f.0.0.1',
      '2130706433',
      '0177.0.0.1',
      'api.example.com.',
      'a..b',
      '[::1%25eth0]',
      '[::ffff:127.0.0.1]',
    ]) {
      const seen = await refusedRaw(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
      expect(seen.status, host).toBe(400);
    }
    expect(await refusedRaw('CONNECT api.example.com:443 HTTP/1.1\r\nHost: other.example.com\r\n\r\n')).toEqual({
      status: 400,
      code: 'authority-mismatch',
    });
  });

  it('closes what speaks neither TLS nor HTTP inside CONNECT', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    await connectPlain(client, 'api.example.com:443');
    client.send('\x05\x01\x00');
    expect(await client.rest()).toBe('');
  });

  it('no CONNECT inside a tunnel', async () => {
    using client = await inside('api.example.com:443');
    expect((await client.ask('CONNECT x.example.com:443 HTTP/1.1\r\nHost: x.example.com:443\r\n\r\n')).status).toBe(
      405,
    );
  });

  it('serves a program that ignores the proxy by the name in its ClientHello', async () => {
    const raw = await RawClient.to(rig.ports.tls);
    raw.socket.removeAllListeners('data');
    using client = await secure(raw.socket, 'api.example.com', rig.ca.certificate);
    expect((await client.ask(get('api.example.com'))).status).toBe(200);
    expect((await client.ask(get('other.example.com'))).status).toBe(421);
  });

  it('closes :443 without SNI and without TLS', async () => {
    const raw = await RawClient.to(rig.ports.tls);
    await expect(secure(raw.socket, '', rig.ca.certificate)).rejects.toThrow();
    using plain = await RawClient.to(rig.ports.tls);
    plain.send(get('api.example.com'));
    expect(await plain.rest()).toBe('');
  });

  it('origin form on the proxy socket is for our own names only', async () => {
    expect(await refusedRaw(get('api.example.com'))).toEqual({ status: 400, code: 'target-form' });
    using client = await RawClient.to(rig.ports.proxy);
    expect((await client.ask(get('cordon.internal'))).status).toBe(200);
  });

  it('records what ended before there was a request', async () => {
    await rig.until(async () => (await rig.entriesOf('fault')).length > 0);
    const codes = (await rig.entriesOf('fault')).map((entry) => entry.data['code']);
    expect(codes).toContain('misdirected-request');
  });
});

async function connectPlain(client: RawClient, target: string): Promise<string> {
  client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const text = await client.until((seen) => seen.includes('\r\n\r\n'));
  client.received = Buffer.alloc(0);
  return text;
}
