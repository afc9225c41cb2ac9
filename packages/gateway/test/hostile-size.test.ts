import { gzipSync } from 'node:zlib';
import { HttpSink, SeededRandom } from '@cordon/testkit';
import { codedBombs, type HostileBody, jsonBombs, opaqueBodies } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { type Answer, RawClient } from './client.ts';
import { Rig } from './rig.ts';

const host = 'api.example.com';
let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start({
    answer: ({ target }) => {
      const [, what, count] = target.split('/');
      if (what === 'headers') {
        const names = Array.from({ length: Number(count) - 2 }, (_, i) => [`x-${i}`, '1'] as const);
        return { status: 200, headers: { ...Object.fromEntries(names) } };
      }
      return what === 'bytes' ? { status: 200, body: Buffer.alloc(Number(count), 'a') } : { status: 200, body: 'ok' };
    },
  });
  rig = await Rig.start({
    grants: [{ allow: `http://${host}`, methods: ['GET', 'POST'] }],
    hosts: { [`${host}:80`]: sink.port },
    limits: { answerBytesMax: 100_000, refusalsRecordedPerMinuteMax: 10_000 },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

const line = (target: string, ...headers: string[]): string =>
  [`GET http://${host}${target} HTTP/1.1`, `Host: ${host}`, ...headers, '', ''].join('\r\n');

async function ask(bytes: string | Buffer): Promise<Answer> {
  using client = await RawClient.to(rig.ports.proxy);
  return await client.ask(bytes);
}

async function post(headers: readonly string[], body: Buffer): Promise<Answer> {
  const head = [`POST http://${host}/ HTTP/1.1`, `Host: ${host}`, ...headers, `Content-Length: ${body.length}`, '', ''];
  return await ask(Buffer.concat([Buffer.from(head.join('\r\n')), body]));
}

async function lastFault(): Promise<unknown> {
  return (await rig.entriesOf('fault')).at(-1)?.data['code'];
}

describe('bodies that cost more than they look', () => {
  it.each([...codedBombs, ...jsonBombs])('$status: $name', async (row: HostileBody) => {
    const before = { requests: sink.requests.length, faults: (await rig.entriesOf('fault')).length };
    expect(await post(row.headers, row.bytes())).toMatchObject({ status: row.status, json: { code: row.code } });
    expect(sink.requests.length).toBe(before.requests);
    await rig.until(async () => (await rig.entriesOf('fault')).length === before.faults + 1);
    expect(await lastFault()).toBe(row.code);
  });

  it.each(opaqueBodies)('forwarded as it is: $name', async (row: HostileBody) => {
    const body = row.bytes();
    expect((await post(row.headers, body)).status).toBe(row.status);
    expect(sink.requests.at(-1)?.body.equals(body)).toBe(true);
  });
});

/** Each cap of the gateway: at it served, one over it refused with its code, and nothing sent. */
describe('one over each cap', () => {
  const headers = (count: number): string[] => Array.from({ length: count - 1 }, (_, i) => `X${i}: 1`);
  const rows: ReadonlyArray<
    readonly [name: string, make: (over: 0 | 1) => string | Buffer, status: number, code: string]
  > = [
    ['headersMax', (over) => line('/', ...headers(limits.headersMax + over)), 431, 'head-too-large'],
    [
      'targetBytesMax',
      (over) =>
        line(`/${'a'.repeat(8000)}?${'a'.repeat(limits.targetBytesMax - `http://${host}/?`.length - 8000 + over)}`),
      414,
      'target-too-long',
    ],
    ['queryPairsMax', (over) => line(`/?${'a&'.repeat(limits.queryPairsMax - 1 + over)}a`), 400, 'query-limit'],
    ['bodyBytesMax, declared', (over) => whole(limits.bodyBytesMax + over), 413, 'body-too-large'],
    ['bodyBytesMax, in chunks', (over) => chunked(limits.bodyBytesMax + over), 413, 'body-too-large'],
    ['bodyBytesMax, decoded', (over) => coded(limits.bodyBytesMax + over), 413, 'body-expands'],
  ];

  it.each(rows)('%s', async (_name, make, status, code) => {
    const before = sink.requests.length;
    expect((await ask(make(0))).status).toBe(200);
    expect(sink.requests.length).toBe(before + 1);
    expect(await ask(make(1))).toMatchObject({ status, json: { code } });
    expect(sink.requests.length).toBe(before + 1);
    expect(await lastFault()).toBe(code);
  });

  it('headBytesMax', async () => {
    const most = limits.headBytesMax - line('/', 'X: ').length;
    expect((await ask(line('/', `X: ${'a'.repeat(most - 64)}`))).status).toBe(200);
    expect(await ask(line('/', `X: ${'a'.repeat(most + 64)}`))).toMatchObject({ status: 431 });
    // Many small ones as well as one large one.
    const many = Array.from({ length: 100 }, (_, i) => `X${i}: ${'a'.repeat(400)}`);
    expect(await ask(line('/', ...many))).toMatchObject({ status: 431, json: { code: 'head-too-large' } });
  });

  it('pipelinedMax', async () => {
    using most = await RawClient.to(rig.ports.proxy);
    most.send(line('/').repeat(limits.pipelinedMax));
    for (let i = 0; i < limits.pipelinedMax; i++) expect((await most.answer()).status).toBe(200);
    using more = await RawClient.to(rig.ports.proxy);
    more.send(line('/').repeat(limits.pipelinedMax + 1));
    await more.until(() => more.ended);
    expect(more.ended).toBe(true);
  });

  it('answerBytesMax', async () => {
    expect((await ask(line('/bytes/100000'))).status).toBe(200);
    using client = await RawClient.to(rig.ports.proxy);
    client.send(line('/bytes/100001'));
    await client.rest();
    expect(client.ended).toBe(true);
    await rig.until(async () => (await rig.entriesOf('outcome')).at(-1)?.data['code'] === 'answer-too-large');
  });

  function whole(bytes: number): Buffer {
    const head = `POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${bytes}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'a')]);
  }

  function chunked(bytes: number): Buffer {
    const head = `POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const size = Buffer.from(`${bytes.toString(16)}\r\n`);
    return Buffer.concat([Buffer.from(head), size, Buffer.alloc(bytes, 'a'), Buffer.from('\r\n0\r\n\r\n')]);
  }

  /** Noise enough that the ratio is far below its limit: only the size decoded can be what is refused. */
  function coded(bytes: number): Buffer {
    const noise = new SeededRandom(1).bytes(1024 * 1024);
    const body = gzipSync(Buffer.concat([noise, Buffer.alloc(bytes - noise.length)]), { level: 1 });
    const lines = [`Host: ${host}`, 'Content-Encoding: gzip', `Content-Length: ${body.length}`, '', ''];
    return Buffer.concat([Buffer.from(`POST http://${host}/ HTTP/1.1\r\n${lines.join('\r\n')}`), body]);
  }
});
