import { createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { halfOpen, type SlowClient, slowBodies, slowHeads } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

const host = 'api.example.com';
const neighbour = 'ses_01arz3ndektsv4rrffq69g5fb0';
let server: Server;
let rig: Rig;
const open = new Set<Socket>();
/** Targets of the requests that reached the server. */
const seen: string[] = [];

/** Answers `/ok`; lets a flood go on `/flood`; drips on `/drip`; on anything else it is silent. */
beforeAll(async () => {
  server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      const target = chunk.toString('latin1').split(' ')[1] ?? '';
      seen.push(target);
      if (target === '/ok') socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      if (target !== '/flood') return;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n');
      const pour = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024, 'x')));
      };
      socket.on('drain', pour);
      pour();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  rig = await Rig.start({
    grants: [{ allow: `http://${host}`, methods: ['GET', 'POST'] }, { allow: host }],
    hosts: { [`${host}:80`]: port, [`${host}:443`]: port },
    sessions: [neighbour],
    limits: {
      headTimeoutMs: 2_000,
      bodyIdleMs: 1_500,
      bodyTotalMs: 3_000,
      handshakeTimeoutMs: 1_000,
      policyWaitMs: 1_000,
      keepAliveIdleMs: 2_500,
      slowReaderMs: 1_500,
      firstByteTimeoutMs: 2_000,
      refusalsRecordedPerMinuteMax: 10_000,
    },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  for (const socket of open) socket.destroy();
  server.close();
});

const ok = `GET http://${host}/ok HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

interface End {
  readonly name: string;
  readonly status: number;
  readonly code: unknown;
}

/** Runs one of them to its end; the last answer is what counts. */
async function endOf(row: SlowClient): Promise<End> {
  using client = await RawClient.to(rig.ports.proxy);
  client.send(row.start(`http://${host}/ok`, host));
  const drip = row.then === 'drip' ? setInterval(() => client.send(row.byte), 100) : null;
  if (row.then === 'fin') client.socket.end();
  const text = await client.rest(15_000);
  if (drip !== null) clearInterval(drip);
  if (!client.ended) return { name: row.name, status: -1, code: 'still open' };
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
  return { name: row.name, status: statuses.at(-1) ?? 0, code: /"code": "([^"]+)"/.exec(text)?.[1] ?? null };
}

/** All at once, as they would come; meanwhile a neighbour is served. */
async function endsOf(rows: readonly SlowClient[]): Promise<readonly End[]> {
  const ends = Promise.all(rows.map(endOf));
  let over = false;
  const finished = ends.finally(() => {
    over = true;
  });
  do {
    using client = await RawClient.to(rig.portsOf(neighbour).proxy);
    expect((await client.ask(ok)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (!over);
  return await finished;
}

async function faults(): Promise<readonly unknown[]> {
  return (await rig.entriesOf('fault')).map(({ data }) => data['code']);
}

describe.each([
  ['slow heads', slowHeads],
  ['slow bodies', slowBodies],
  ['half-open', halfOpen],
] as const)('%s', (_name, rows) => {
  it('each ends in time with its answer, is recorded, and a neighbour is served meanwhile', {
    timeout: 40_000,
  }, async () => {
    const before = (await faults()).length;
    const sent = seen.length;
    const ends = await endsOf(rows);
    expect(ends).toEqual(rows.map(({ name, status, code }) => ({ name, status, code })));
    await rig.until(async () => (await faults()).length >= before + rows.length);
    expect([...(await faults()).slice(before)].sort()).toEqual(rows.map(({ code }) => code).sort());
    // What reached the server are whole requests only: the neighbour's, and the first of a connection that had a second.
    expect(new Set(seen.slice(sent))).toEqual(new Set(['/ok']));
    expect(rig.gateway.stats()).toMatchObject({ inFlight: 0 });
  });
});

it('a client that ends its side behind a whole request is gone: what was under way ends too', async () => {
  using client = await RawClient.to(rig.ports.proxy);
  client.send(ok.replace('/ok', '/silent'));
  client.socket.end();
  await client.rest();
  expect(client.ended).toBe(true);
  await rig.until(() => rig.gateway.stats().inFlight === 0);
});

describe('a reader that does not read', () => {
  it('is cut, and so is the server', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.socket.pause();
    client.send(ok.replace('/ok', '/flood'));
    await rig.until(
      async () => (await rig.entriesOf('outcome')).some(({ data }) => data['code'] === 'slow-reader'),
      15_000,
    );
    await rig.until(() => rig.gateway.stats().inFlight === 0);
  });
});

describe('a handshake that stalls', () => {
  async function tunnel(): Promise<RawClient> {
    const client = await RawClient.to(rig.ports.proxy);
    client.send(`CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n\r\n`);
    await client.until((text) => text.includes('\r\n\r\n'));
    client.received = Buffer.alloc(0);
    return client;
  }

  async function expectClosed(client: RawClient): Promise<void> {
    await client.rest(15_000);
    expect(client.ended).toBe(true);
    client[Symbol.dispose]();
  }

  it('before the first flight, within it, or behind the last: no request comes', async () => {
    const within = [await tunnel(), await RawClient.to(rig.ports.tls)];
    for (const client of within) client.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]));
    const before = [
      await tunnel(),
      ...(await Promise.all([rig.ports.proxy, rig.ports.http, rig.ports.tls].map((port) => RawClient.to(port)))),
    ];
    const behind = await connectThrough(rig.ports.proxy, { target: `${host}:443`, ca: rig.ca.certificate });
    await Promise.all([...within, ...before, behind].map(expectClosed));
  });

  it('before the second flight: the server has spoken, the client says no more', async () => {
    const before = (await faults()).length;
    const clients = [await tunnel(), await RawClient.to(rig.ports.tls)];
    for (const client of clients) client.send(await firstFlight());
    await Promise.all(clients.map((client) => client.until((text) => text.startsWith('\x16\x03\x03'))));
    await Promise.all(clients.map(expectClosed));
    await rig.until(async () => (await faults()).length === before + 2);
    expect((await faults()).slice(before)).toEqual(['tls-client-refused', 'tls-client-refused']);
  });

  /** What a real client would send first; it never hears an answer. */
  function firstFlight(): Promise<Buffer> {
    return new Promise((resolve) => {
      const wire = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _encoding, done) => {
          resolve(chunk);
          done();
        },
      });
      connectTls({ socket: wire, servername: host, ca: upstreamCa.certificate }).on('error', () => undefined);
    });
  }
});

it('a server that says nothing is given up, also one that stalls in its handshake', { timeout: 40_000 }, async () => {
  using plain = await RawClient.to(rig.ports.proxy);
  const late = plain.ask(ok.replace('/ok', '/silent'));
  using client = await connectThrough(rig.ports.proxy, { target: `${host}:443`, ca: rig.ca.certificate });
  client.send(`GET /ok HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const text = await client.until((seen) => seen.includes('"code"'), 20_000);
  expect(text).toContain('HTTP/1.1 504');
  expect(text).toMatch(/"code": "upstream-(first-byte|tls-timeout)"/);
  expect(await late).toMatchObject({ status: 504, json: { code: 'upstream-first-byte' } });
});
