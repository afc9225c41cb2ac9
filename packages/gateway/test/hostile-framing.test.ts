import { HttpSink } from '@cordon/testkit';
import {
  authorityRows,
  chunkFloods,
  chunkRows,
  codingRows,
  type HostileRequest,
  headRows,
  lineRows,
  listedCodingRows,
  oddReads,
  oddRows,
  parserRows,
  rubbishRow,
} from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectThrough, RawClient } from './client.ts';
import { Rig, upstreamCa } from './rig.ts';

let plain: HttpSink;
let tls: HttpSink;
let rig: Rig;
const host = 'api.example.com';
const places = ['proxy', 'tls', 'http'] as const;
type Place = (typeof places)[number];

const rows: readonly HostileRequest[] = [
  ...codingRows,
  ...listedCodingRows,
  ...chunkRows,
  ...chunkFloods,
  ...lineRows,
  ...authorityRows,
];
const refused: string[] = [];

beforeAll(async () => {
  plain = await HttpSink.start();
  tls = await HttpSink.start({ tls: upstreamCa.issue([host]) });
  const methods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];
  rig = await Rig.start({
    grants: [
      { allow: `http://${host}`, methods },
      { allow: host, methods },
    ],
    hosts: { [`${host}:80`]: plain.port, [`${host}:443`]: tls.port },
    limits: { refusalsRecordedPerMinuteMax: 10_000 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  await tls[Symbol.asyncDispose]();
});

const open = (place: Place): Promise<RawClient> =>
  place === 'tls'
    ? connectThrough(rig.ports.proxy, { target: `${host}:443`, ca: rig.ca.certificate })
    : RawClient.to(rig.ports[place]);
const targetOf = (place: Place, path = '/'): string => (place === 'proxy' ? `http://${host}${path}` : path);
const requests = (): number => plain.requests.length + tls.requests.length;

/** The answer, then the end, then nothing: what was smuggled behind is never read as a request. */
async function expectRefused(client: RawClient, row: HostileRequest): Promise<void> {
  expect(await client.answer()).toMatchObject({ status: row.status, json: { code: row.code } });
  await client.until(() => client.ended);
  expect(client.ended).toBe(true);
  expect(client.received.toString()).toBe('');
  refused.push(row.code);
}

describe.each(places)('on the %s socket', (place) => {
  it.each(rows)('refuses: $name', async (row) => {
    const before = requests();
    using client = await open(place);
    client.send(row.bytes(targetOf(place), host));
    await expectRefused(client, row);
    expect(requests()).toBe(before);
  });

  it.each([...oddRows, ...oddReads])('serves, framed anew and in step: $name', async (row) => {
    const before = requests();
    using client = await open(place);
    const sink = place === 'tls' ? tls : plain;
    client.send(row.bytes(targetOf(place, '/odd'), host));
    expect(await client.answer()).toMatchObject({ status: 200 });
    const seen = sink.requests.at(-1);
    expect(seen).toMatchObject({ method: row.method, target: '/odd' });
    expect(seen?.body.toString()).toBe(row.body);
    expect(seen?.headers).not.toHaveProperty('transfer-encoding');
    expect(seen?.headers['content-length']).toBe(row.method === 'GET' ? undefined : String(row.body.length));
    // Keep-alive on both sides: the second request of this socket, on the same socket to the server, is whole.
    const next = await client.ask(`GET ${targetOf(place, '/next')} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(next.status).toBe(200);
    expect(sink.requests.at(-1)).toMatchObject({ method: 'GET', target: '/next' });
    expect(requests()).toBe(before + 2);
  });
});

/** Byte by byte the parser has other states to go wrong in; what it finds must not depend on how the bytes come. */
describe('split at every byte', () => {
  const small = [...rows, ...parserRows, ...headRows].filter(
    // Bytes before the answer to a handshake are judged by whether they are there when the head is.
    (row) => row.code !== 'websocket-handshake' && Buffer.from(row.bytes(targetOf('http'), host)).length < 512,
  );

  it.each(small)('refuses: $name', async (row) => {
    const before = requests();
    using client = await open('http');
    for (const byte of Buffer.from(row.bytes(targetOf('http'), host).toString('latin1'), 'latin1')) {
      client.send(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expectRefused(client, row);
    expect(requests()).toBe(before);
  });

  it('refuses at each cut in two: CL.TE', async () => {
    const row = parserRows.find(({ name }) => name === 'CL.TE');
    if (row === undefined) throw new Error('no row');
    const bytes = Buffer.from(row.bytes(targetOf('http'), host));
    const before = requests();
    for (let cut = 1; cut < bytes.length; cut++) {
      using client = await open('http');
      client.send(bytes.subarray(0, cut));
      await new Promise((resolve) => setImmediate(resolve));
      client.send(bytes.subarray(cut));
      await expectRefused(client, row);
    }
    expect(requests()).toBe(before);
  });
});

describe('early answers', () => {
  it('a whole message with rubbish behind it may be served, the request behind the rubbish not', async () => {
    using client = await open('proxy');
    client.send(rubbishRow.bytes(targetOf('proxy', '/whole'), host));
    const text = await client.rest();
    expect(text).toContain(`"code": "${rubbishRow.code}"`);
    refused.push(rubbishRow.code);
    expect(plain.requests.map(({ target }) => target)).not.toContain('/smuggled');
  });

  it('what follows a refused head is no request, however late it comes', async () => {
    const before = requests();
    using client = await open('proxy');
    client.send(`POST http://${host}/ HTTP/1.1\r\nHost: evil.example.com\r\nContent-Length: 100\r\n\r\n`);
    await client.until((text) => text.includes('\r\n\r\n'));
    client.send(`GET http://${host}/smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(await client.answer()).toMatchObject({ status: 400, json: { code: 'authority-mismatch' } });
    expect(await client.rest()).toBe('');
    refused.push('authority-mismatch');
    expect(requests()).toBe(before);
  });

  it('what follows a denied request is decided on its own', async () => {
    using client = await open('proxy');
    const denied = `POST http://other.example.com/ HTTP/1.1\r\nHost: other.example.com\r\nContent-Length: 40\r\n\r\n`;
    const body = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    client.send(`${denied}${body.padEnd(40, 'x')}GET http://${host}/own HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(await client.answer()).toMatchObject({ status: 403, json: { code: 'no-grant' } });
    expect(await client.answer()).toMatchObject({ status: 200 });
    expect(plain.requests.at(-1)).toMatchObject({ target: '/own' });
  });
});

it('recorded a fault for each of them, with its code', async () => {
  await rig.until(async () => (await rig.entriesOf('fault')).length >= refused.length);
  const recorded = (await rig.entriesOf('fault')).map((entry) => String(entry.data['code']));
  expect(recorded.sort()).toEqual([...refused].sort());
});
