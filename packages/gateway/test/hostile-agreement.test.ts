import { createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { HttpSink } from '@cordon/testkit';
import { echExtension, malformedHellos, withExtension } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient, secure } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

const granted = 'api.example.com';
const second = 'www.example.com';
const evil = 'evil.example.com';
let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({ tls: upstreamCa.issue([granted, second, evil]) });
  const hosts = [granted, second, evil].flatMap((host) => [`${host}:443`, `${host}:80`]);
  rig = await Rig.start({
    grants: [{ allow: granted }, { allow: second }],
    hosts: Object.fromEntries(hosts.map((host) => [host, sink.port])),
    limits: { headTimeoutMs: 3_000, refusalsRecordedPerMinuteMax: 10_000 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

const get = (host: string, target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

async function inside(target: string, servername: string): Promise<RawClient> {
  return await connectThrough(rig.ports.proxy, { target, servername, ca: rig.ca.certificate });
}

/** By the name in the ClientHello alone, on :443. */
async function direct(servername: string): Promise<RawClient> {
  const raw = await RawClient.to(rig.ports.tls);
  raw.socket.removeAllListeners('data');
  return await secure(raw.socket, servername, rig.ca.certificate);
}

/** Faults and denials so far: whatever is refused must be one of them. */
async function refusals(): Promise<number> {
  const entries = await rig.entries();
  return entries.filter(({ type, data }) => type === 'fault' || data['outcome'] === 'deny').length;
}

interface Row {
  readonly connect: string | null;
  readonly sni: string;
  readonly host: string;
  readonly status: number;
}

/** Every way in which three names can differ; served only where all of them are one and granted. */
const rows: readonly Row[] = [null, granted, second, evil].flatMap((connect) =>
  [granted, second, evil].flatMap((sni) =>
    [granted, second, evil].map((host) => {
      const agree = (connect ?? sni) === sni && sni === host;
      return { connect, sni, host, status: !agree ? 421 : host === evil ? 403 : 200 };
    }),
  ),
);

describe('CONNECT, SNI and Host', () => {
  it.each(rows)('$status for CONNECT $connect, SNI $sni, Host $host', async ({ connect, sni, host, status }) => {
    const before = { requests: sink.requests.length, refusals: await refusals() };
    using client = connect === null ? await direct(sni) : await inside(`${connect}:443`, sni);
    expect((await client.ask(get(host))).status).toBe(status);
    const served = status === 200 ? 1 : 0;
    expect(sink.requests.length).toBe(before.requests + served);
    if (served === 1) expect(sink.requests.at(-1)?.host).toBe(host);
    await rig.until(async () => (await refusals()) === before.refusals + 1 - served);
  });

  it.each([granted, second, evil])('the second request may not name another host: %s', async (other) => {
    using client = await direct(granted);
    expect((await client.ask(get(granted))).status).toBe(200);
    const before = sink.requests.length;
    const answer = await client.ask(get(other));
    expect(answer.status).toBe(other === granted ? 200 : 421);
    expect(sink.requests.length).toBe(other === granted ? before + 1 : before);
  });

  it('nor by an absolute target, with the Host of the connection', async () => {
    const before = sink.requests.length;
    for (const [target, status] of [
      [`https://${evil}/`, 400],
      [`https://${granted}:8443/`, 400],
      [`http://${granted}/`, 421],
    ] as const) {
      using client = await direct(granted);
      expect((await client.ask(get(granted, target))).status).toBe(status);
    }
    expect(sink.requests.length).toBe(before);
  });

  it.each(['Content-Length: 5', 'Transfer-Encoding: chunked'])('CONNECT with a body is refused: %s', async (line) => {
    using client = await RawClient.to(rig.ports.proxy);
    const head = `CONNECT ${granted}:443 HTTP/1.1\r\nHost: ${granted}:443\r\n${line}\r\n\r\n`;
    expect(await client.ask(head)).toMatchObject({ status: 400, json: { code: 'body-not-allowed' } });
    expect(await client.rest()).toBe('');
  });

  it('a name in another case is the same name, a longer one is not', async () => {
    using upper = await direct(granted.toUpperCase());
    expect((await upper.ask(get(granted))).status).toBe(200);
    using longer = await direct(`x.${granted}`);
    expect((await longer.ask(get(`x.${granted}`))).status).toBe(403);
  });
});

describe('a ClientHello with no single reading', () => {
  it.each(malformedHellos)('is closed without a byte, on :443 and inside CONNECT: $name', async ({ bytes }) => {
    const before = { connections: sink.connections, refusals: await refusals() };
    using plain = await RawClient.to(rig.ports.tls);
    plain.send(bytes);
    expect(await plain.rest()).toBe('');
    using tunnel = await RawClient.to(rig.ports.proxy);
    tunnel.send(`CONNECT ${granted}:443 HTTP/1.1\r\nHost: ${granted}:443\r\n\r\n`);
    await tunnel.until((text) => text.includes('\r\n\r\n'));
    tunnel.received = Buffer.alloc(0);
    tunnel.send(bytes);
    expect(await tunnel.rest()).toBe('');
    expect(sink.connections).toBe(before.connections);
    await rig.until(async () => (await refusals()) >= before.refusals + 2);
  });

  it('that names nobody is closed on :443 and for a name', async () => {
    await expect(direct('')).rejects.toThrow();
    await expect(inside(`${granted}:443`, '')).rejects.toThrow();
  });

  it('that ends early or never ends is closed in time', async () => {
    const bytes = await firstFlight(granted);
    const endless = Buffer.alloc(32 * 1024, Buffer.from([0x16, 3, 1, 0, 1, 1]));
    const parts = [...[1, 5, 6, 20, bytes.length - 1].map((cut) => bytes.subarray(0, cut)), endless];
    const ends = parts.map(async (part) => {
      using client = await RawClient.to(rig.ports.tls);
      client.send(part);
      const text = await client.rest();
      return { ended: client.ended, text };
    });
    expect(await Promise.all(ends)).toEqual(parts.map(() => ({ ended: true, text: '' })));
  });
});

describe('ECH', () => {
  it('is answered under the outer name, and decided by it', async () => {
    const bytes = withExtension(await firstFlight(granted), echExtension);
    using client = await RawClient.to(rig.ports.tls);
    client.send(bytes);
    // A ServerHello of ours: the inner name is never read, so it cannot be where a request goes.
    await client.until((text) => text.length > 5);
    expect([...client.received.subarray(0, 3)]).toEqual([0x16, 3, 3]);
  });

  it('behind another outer name than CONNECT says leads nowhere', async () => {
    const before = sink.connections;
    using client = await inside(`${granted}:443`, evil);
    expect(await client.ask(get(granted))).toMatchObject({ status: 421, json: { code: 'misdirected-request' } });
    expect(sink.connections).toBe(before);
  });
});

/** The ClientHello of a real client, taken from the wire. */
function firstFlight(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (bytes) => {
        socket.destroy();
        server.close();
        resolve(bytes);
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = address === null || typeof address === 'string' ? 0 : address.port;
      connectTls({ port, host: '127.0.0.1', servername }).on('error', () => undefined);
    });
  });
}
