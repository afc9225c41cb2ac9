import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import type { Grant } from '@cordon/policy';
import { HttpSink, LineSink } from '@cordon/testkit';
import { alpnOffer, clientHello, echExtension, helloRecords, serverName, serverNames } from '@cordon/testkit/hostile';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayLimits } from '../src/limits.ts';
import { connectThrough, RawClient, secure } from './client.ts';
import { Rig, session, upstreamCa } from './rig.ts';

let lines: LineSink;
let rig: Rig;
const stack: AsyncDisposable[] = [];

beforeEach(async () => {
  lines = await LineSink.start();
});

afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
  await lines[Symbol.asyncDispose]();
});

const database = 'tcp://db.example:5432';

async function start(grants: readonly Grant[], limits: Partial<GatewayLimits> = {}): Promise<void> {
  const hosts = { 'db.example:5432': lines.port, 'other.example:5432': lines.port };
  // 300 ms of silence may pass on a busy machine; where a test needs it to be short it says so.
  rig = await Rig.start({ grants, hosts, limits: { silenceMs: 4_000, ...limits } });
  stack.push(rig);
}

/** A socket of a raw TCP grant, handed over as the supervisor does. */
async function tcpSocket(grant = database): Promise<number> {
  const holder = await new Promise<Server>((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
  const address = holder.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const { port } = address;
  const before = rig.sent.length;
  rig.tell(
    { type: 'serve', v: 1, tenant: 'local', session, kind: 'tcp', address: '127.0.0.1', port, grant, of: 4 },
    holder,
  );
  await rig.until(() => rig.sent.length > before);
  return port;
}

async function connectTo(target: string): Promise<RawClient> {
  const client = await RawClient.to(rig.ports.proxy);
  client.send(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  await client.until((text) => text.includes('\r\n\r\n'));
  client.received = Buffer.alloc(0);
  return client;
}

/** All that a connection receives which is refused; the reset may come before the client knows that it is connected. */
async function refusedAt(port: number): Promise<string> {
  try {
    using client = await RawClient.to(port);
    return await client.rest();
  } catch (error: unknown) {
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    return '';
  }
}

async function decisions() {
  return (await rig.entriesOf('decision')).map(({ data }) => [data['action'], data['resource'], data['code']]);
}

async function outcome() {
  await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
  return (await rig.entriesOf('outcome'))[0]?.data;
}

describe('the socket of a raw TCP grant', () => {
  it('leads to its destination, is decided and recorded before, counted, and its end is recorded', async () => {
    await start([{ allow: database }]);
    using client = await RawClient.to(await tcpSocket());
    client.send('select 1\n');
    expect(await client.until((text) => text.includes('\n'))).toBe('SELECT 1\n');
    const entries = (await rig.entries()).map(({ type }) => type);
    expect(entries).toEqual(['label', 'decision', 'start', 'label']);
    // Whoever watches the session sees what passes while it does.
    const stats = await rig.control?.call('stats', null);
    expect(stats?.sessions[0]).toMatchObject({ inFlight: 1, bytesOut: 9, bytesIn: 9 });
    expect(await decisions()).toEqual([['http.tunnel', database, 'allowed']]);
    client.socket.end();
    expect(await client.rest()).toBe('SELECT 1\nBYE\n');
    expect(await outcome()).toMatchObject({
      code: 'relayed',
      bytesOut: 9,
      bytesIn: 13,
      doubt: false,
      address: '127.0.0.1',
    });
  });

  it('is reset and recorded without a grant for that very destination, and nothing is dialled', async () => {
    await start([{ allow: 'tcp://db.example:5433' }, { allow: 'db.example:5432', methods: ['POST'] }]);
    expect(await refusedAt(await tcpSocket())).toBe('');
    expect(await decisions()).toEqual([['http.tunnel', database, 'no-grant']]);
    expect(lines.connections).toBe(0);
  });

  it('names its destination by itself: what the bytes say is not looked at', async () => {
    await start([{ allow: database }, { allow: 'tcp://other.example:5432' }]);
    using client = await RawClient.to(await tcpSocket());
    client.send('CONNECT other.example:5432 HTTP/1.1\r\n\r\n');
    await client.until((text) => text.includes('\r\n\r\n'));
    expect(lines.received).toBe('CONNECT other.example:5432 HTTP/1.1\r\n\r\n');
    expect(await decisions()).toEqual([['http.tunnel', database, 'allowed']]);
  });

  it('lets the server speak first, and the client end its half', async () => {
    await lines[Symbol.asyncDispose]();
    lines = await LineSink.start('220 ready\n');
    await start([{ allow: database }]);
    using client = await RawClient.to(await tcpSocket());
    expect(await client.until((text) => text.includes('\n'))).toBe('220 ready\n');
    client.socket.end();
    expect(await client.rest()).toBe('220 ready\nBYE\n');
  });

  it('is cut when its bytes are used up, and what is over the limit is not sent', async () => {
    await start([{ allow: database, limits: { bytes: 20 } }]);
    using client = await RawClient.to(await tcpSocket());
    client.send('12345678\n');
    await client.until((text) => text.includes('\n'));
    client.send('too much\n');
    await client.rest();
    expect(lines.received).toBe('12345678\n');
    expect(await outcome()).toMatchObject({ code: 'tunnel-bytes', bytesOut: 9, bytesIn: 9, doubt: true });
  });

  it.each<[string, Grant, Partial<GatewayLimits>]>([
    ['tunnel-life', { allow: database, limits: { life: '50ms' } }, {}],
    ['tunnel-life', { allow: database }, { tunnelLifeMs: 50 }],
    ['tunnel-idle', { allow: database }, { tunnelIdleMs: 50 }],
  ])('is cut: %s', async (code, grant, limits) => {
    await start([grant], limits);
    using client = await RawClient.to(await tcpSocket());
    await client.rest();
    expect(await outcome()).toMatchObject({ code });
    await rig.until(() => lines.sockets.size === 0);
  });

  it('is cut when the policy no longer permits it', async () => {
    await start([{ allow: database }]);
    using client = await RawClient.to(await tcpSocket());
    client.send('a\n');
    await client.until((text) => text.includes('\n'));
    await rig.setGrants([{ allow: 'x.example' }]);
    await client.rest();
    expect(await outcome()).toMatchObject({ code: 'no-longer-permitted' });
    await rig.until(() => lines.sockets.size === 0);
  });

  it('is cut on both sides by a stop', async () => {
    await start([{ allow: database }]);
    const port = await tcpSocket();
    using client = await RawClient.to(port);
    client.send('a\n');
    await client.until((text) => text.includes('\n'));
    await rig.control?.call('session.stop', { session, stopped: true });
    await client.rest();
    await rig.until(() => lines.sockets.size === 0);
    expect((await outcome())?.['code']).toMatch(/session-stopped|stream-cut/);
    expect(await refusedAt(port)).toBe('');
    expect(lines.connections).toBe(1);
  });

  it('ends when the server breaks off, and when the client does', async () => {
    await start([{ allow: database }]);
    const port = await tcpSocket();
    using first = await RawClient.to(port);
    first.send('a\n');
    await first.until((text) => text.includes('\n'));
    for (const socket of lines.sockets) socket.resetAndDestroy();
    await first.rest();
    const second = await RawClient.to(port);
    second.send('b\n');
    await second.until((text) => text.includes('\n'));
    second.socket.resetAndDestroy();
    await rig.until(() => lines.sockets.size === 0);
    await rig.until(async () => (await rig.entriesOf('outcome')).length === 2);
    expect(rig.gateway.stats()).toMatchObject({ inFlight: 0, sockets: 0 });
  });

  it('cuts a client that reads nothing, and holds back the server meanwhile', async () => {
    await start([{ allow: database }], { slowReaderMs: 300 });
    using client = await RawClient.to(await tcpSocket());
    client.send('a\n');
    await client.until((text) => text.includes('\n'));
    client.socket.pause();
    const [far] = lines.sockets;
    let sent = 0;
    const chunk = Buffer.alloc(256 * 1024, 0x61);
    const pump = (): void => {
      while (far?.writable === true && far.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    far?.on('drain', pump);
    pump();
    expect(await outcome()).toMatchObject({ code: 'slow-reader' });
    // Kernel buffers and ours; never what a server could send in that time.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('the gates of a tunnel', () => {
  it.each([
    ['tcp://10.1.2.3:5432', 'address-forbidden'],
    ['tcp://127.0.0.1:5432', 'address-forbidden'],
    ['tcp://169.254.169.254:80', 'address-forbidden'],
    ['tcp://203.0.113.9:25', 'port-forbidden'],
    ['tcp://203.0.113.9:2375', 'port-forbidden'],
    ['tcp://203.0.113.9:6443', 'port-forbidden'],
    ['tcp://metadata.google.internal:80', 'name-forbidden'],
  ])('%s: granted by a session, still %s', async (grant, code) => {
    await start([{ allow: grant }]);
    expect(await refusedAt(await tcpSocket(grant))).toBe('');
    expect(await outcome()).toMatchObject({ code, bytesOut: 0, address: null });
  });

  it('a private address beside the ranges of the grant is not dialled', async () => {
    await start([{ allow: 'tcp://10.1.2.3:5432', addresses: ['10.1.3.0/24'] }]);
    expect(await refusedAt(await tcpSocket('tcp://10.1.2.3:5432'))).toBe('');
    expect(await outcome()).toMatchObject({ code: 'address-forbidden' });
  });
});

describe('CONNECT to a host of a raw TCP grant', () => {
  it.each([
    ['bytes that are no method', '\x00\x00\x00\x08\x04\xd2\x16\x2f'],
    ['a word that starts like a method', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a word in capitals', 'PING\r\n'],
    ['a command that is no method of HTTP', 'NICK agent\r\n'],
  ])('%s goes through', async (_name, bytes) => {
    await start([{ allow: database }]);
    using client = await connectTo('db.example:5432');
    client.send(bytes);
    await client.until((text) => text.length >= bytes.length);
    expect(lines.received).toBe(Buffer.from(bytes, 'latin1').toString('latin1'));
    expect(await decisions()).toEqual([['http.tunnel', database, 'allowed']]);
  });

  it('silence is the turn of the server', async () => {
    await lines[Symbol.asyncDispose]();
    lines = await LineSink.start('220 ready\n');
    await start([{ allow: database }], { silenceMs: 50 });
    using client = await connectTo('db.example:5432');
    expect(await client.until((text) => text.includes('\n'))).toBe('220 ready\n');
  });

  it('HTTP there is decided as HTTP, and TLS is terminated', async () => {
    await start([{ allow: database }]);
    using plain = await connectTo('db.example:5432');
    expect(await plain.ask('GET / HTTP/1.1\r\nHost: db.example:5432\r\n\r\n')).toMatchObject({
      status: 403,
      json: { code: 'no-grant' },
    });
    using tls = await connectThrough(rig.ports.proxy, { target: 'db.example:5432', ca: rig.ca.certificate });
    expect((await tls.ask('GET / HTTP/1.1\r\nHost: db.example:5432\r\n\r\n')).json).toMatchObject({ code: 'no-grant' });
    expect(lines.connections).toBe(0);
  });

  it.each(['db.example:5433', 'other.example:5432'])('%s is refused with a recorded decision', async (target) => {
    await start([{ allow: database }, { allow: 'other.example:5432', methods: ['GET', 'POST'] }]);
    using client = await connectTo(target);
    client.send('\x00\x00\x00\x08');
    expect(await client.rest()).toBe('');
    expect(await decisions()).toEqual([['http.tunnel', `tcp://${target}`, 'no-grant']]);
    expect(lines.connections).toBe(0);
  });

  it('bytes that are nothing to a host without a grant: denied, and the denial names the grant', async () => {
    await start([]);
    using client = await connectTo('db.example:5432');
    client.send('\x00\x00\x00\x08');
    await client.rest();
    expect(await decisions()).toEqual([['http.tunnel', database, 'no-grant']]);
    using page = await RawClient.to(rig.ports.http);
    const { body } = await page.ask('GET /denials HTTP/1.1\r\nHost: cordon.internal\r\n\r\n');
    expect(body).toContain('--allow tcp://db.example:5432');
    expect(lines.connections).toBe(0);
  });
});

describe('tls: opaque', () => {
  let sink: HttpSink;
  beforeEach(async () => {
    sink = await HttpSink.start({ tls: upstreamCa.issue(['pinned.example', 'read.example']) });
    stack.push(sink);
    const hosts = { 'pinned.example:443': sink.port, 'read.example:443': sink.port, 'pinned.example:8443': sink.port };
    const grants: Grant[] = [{ allow: 'pinned.example', tls: 'opaque' }, { allow: 'read.example' }];
    rig = await Rig.start({ grants, hosts });
    stack.push(rig);
  });

  const request = (host: string): string => `GET /x HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

  it('passes TLS on unread: the client sees the server itself', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'pinned.example:443', ca: upstreamCa.certificate });
    expect((await client.ask(request('pinned.example'))).status).toBe(200);
    expect(await decisions()).toEqual([['http.tunnel', 'tls://pinned.example:443', 'allowed']]);
    client.socket.end();
    expect(await outcome()).toMatchObject({ code: 'relayed' });
  });

  it('passes it on from :443 too, by the name in the ClientHello', async () => {
    const raw = await RawClient.to(rig.ports.tls);
    raw.socket.removeAllListeners('data');
    using client = await secure(raw.socket, 'pinned.example', upstreamCa.certificate);
    expect((await client.ask(request('pinned.example'))).status).toBe(200);
    expect(await decisions()).toEqual([['http.tunnel', 'tls://pinned.example:443', 'allowed']]);
  });

  it('says nothing about other hosts and ports: those are read', async () => {
    using client = await connectThrough(rig.ports.proxy, { target: 'read.example:443', ca: rig.ca.certificate });
    expect((await client.ask(request('read.example'))).status).toBe(200);
    using other = await connectThrough(rig.ports.proxy, { target: 'pinned.example:8443', ca: rig.ca.certificate });
    expect((await other.ask(request('pinned.example:8443'))).json).toMatchObject({ code: 'no-grant' });
  });

  const hello = (...extensions: Buffer[]): Buffer => helloRecords(clientHello(extensions));
  it.each([
    ['another name', hello(serverNames(serverName('read.example'))), 'misdirected-request'],
    ['no name', hello(alpnOffer('h2')), 'misdirected-request'],
    ['Encrypted ClientHello', hello(serverNames(serverName('pinned.example')), echExtension), 'client-hello-encrypted'],
  ])('is refused for a ClientHello with %s', async (_name, bytes, code) => {
    using client = await connectTo('pinned.example:443');
    client.send(bytes);
    expect(await client.rest()).toBe('');
    await rig.until(async () => (await rig.entriesOf('fault')).length > 0);
    expect((await rig.entriesOf('fault')).map(({ data }) => data['code'])).toEqual([code]);
    expect(sink.requests).toEqual([]);
    expect(await decisions()).toEqual([]);
  });

  it('two names in a ClientHello are no TLS, so raw TCP is what is asked for, and denied', async () => {
    using client = await connectTo('pinned.example:443');
    client.send(hello(serverNames(serverName('pinned.example'), serverName('read.example'))));
    expect(await client.rest()).toBe('');
    expect(await decisions()).toEqual([['http.tunnel', 'tcp://pinned.example:443', 'no-grant']]);
  });

  it('a client that refuses our certificate is recorded with the origin that an opt-out would name', async () => {
    // Node ends its handshake before it looks at the certificate; curl, as most clients, answers with an alert.
    const curl = spawn('curl', ['-sS', '-x', `http://127.0.0.1:${rig.ports.proxy}`, 'https://read.example/']);
    await new Promise((resolve) => curl.once('close', resolve));
    await rig.until(async () => (await rig.entriesOf('fault')).length > 0);
    expect((await rig.entriesOf('fault'))[0]?.data).toMatchObject({
      code: 'tls-client-refused',
      resource: 'https://read.example:443',
    });
  });
});
