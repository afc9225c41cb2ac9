import { join } from 'node:path';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { JournalArchive, readJournal } from '@cordon/ledger';
import { HttpSink } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, RawClient } from './client.ts';
import { Rig } from './rig.ts';

const cap = 64 * 1024;
let sink: HttpSink;
let rig: Rig;

beforeAll(async () => {
  sink = await HttpSink.start();
  rig = await Rig.start({
    grants: [
      { allow: 'http://api.example.com', methods: ['GET', 'POST', 'PUT'] },
      { allow: 'http://small.example.com', methods: ['POST'], limits: { bytes: 16 } },
      { allow: 'http://body.example.com', methods: ['GET', 'DELETE'], body: true },
      { allow: 'http://rate.example.com', methods: ['GET'], limits: { rate: '2/1m' } },
    ],
    hosts: {
      'api.example.com:80': sink.port,
      'small.example.com:80': sink.port,
      'body.example.com:80': sink.port,
      'rate.example.com:80': sink.port,
    },
    limits: { bodyBytesMax: cap, bodyIdleMs: 300, bodyBytesHeldPerSessionMax: 4 * cap },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await sink[Symbol.asyncDispose]();
});

interface Post {
  readonly body: Buffer | string;
  readonly type?: string;
  readonly coding?: string;
  readonly host?: string;
  readonly method?: string;
}

async function post({ body, type, coding, host = 'api.example.com', method = 'POST' }: Post): Promise<Answer> {
  using client = await RawClient.to(rig.ports.proxy);
  const bytes = Buffer.from(body);
  const lines = [`${method} http://${host}/b HTTP/1.1`, `Host: ${host}`, `Content-Length: ${bytes.length}`];
  if (type !== undefined) lines.push(`Content-Type: ${type}`);
  if (coding !== undefined) lines.push(`Content-Encoding: ${coding}`);
  return await client.ask(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]));
}

describe('bodies', () => {
  it('takes exactly the cap and refuses one byte more, declared or not', async () => {
    expect((await post({ body: Buffer.alloc(cap, 'a') })).status).toBe(200);
    expect(await post({ body: Buffer.alloc(cap + 1, 'a') })).toMatchObject({
      status: 413,
      json: { code: 'body-too-large' },
    });
    using client = await RawClient.to(rig.ports.proxy);
    client.send('POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `1000\r\n${'a'.repeat(0x1000)}\r\n`;
    for (let sent = 0; sent <= cap; sent += 0x1000) client.send(chunk);
    client.send('0\r\n\r\n');
    expect(await client.answer()).toMatchObject({ status: 413, json: { code: 'body-too-large' } });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('reads %s and forwards the bytes as they came', async (coding, compress) => {
    const before = sink.requests.length;
    const body = compress(Buffer.from('{"a":1}'));
    expect((await post({ body, type: 'application/json', coding })).status).toBe(200);
    expect(sink.requests.length).toBe(before + 1);
    expect(sink.requests.at(-1)?.headers['content-length']).toBe(String(body.length));
    expect(sink.requests.at(-1)?.headers['content-encoding']).toBe(coding);
    // Valid coding, but what it says is no JSON.
    const wrong = await post({ body: compress(Buffer.from('{"a":1,"a":2}')), type: 'application/json', coding });
    expect(wrong).toMatchObject({ status: 400, json: { code: 'body-unreadable' } });
  });

  it('refuses bombs, unknown, doubled and false codings', async () => {
    const bomb = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    expect(await post({ body: bomb, coding: 'gzip' })).toMatchObject({ status: 413, json: { code: 'body-expands' } });
    for (const coding of ['deflate', 'gzip, gzip', 'compress', 'aws-chunked']) {
      expect(await post({ body: 'x', coding }), coding).toMatchObject({
        status: 415,
        json: { code: 'coding-unknown' },
      });
    }
    expect(await post({ body: 'not gzip', coding: 'gzip' })).toMatchObject({
      status: 400,
      json: { code: 'body-unreadable' },
    });
    const trailing = Buffer.concat([gzipSync('a'), Buffer.from('smuggled')]);
    expect(await post({ body: trailing, coding: 'gzip' })).toMatchObject({ status: 400 });
  });

  it.each([
    ['duplicate key', '{"a":1,"a":2}'],
    ['duplicate key, escaped', '{"a":1,"\\u0061":2}'],
    ['byte order mark', '\ufeff{}'],
    ['trailing bytes', '{} {}'],
    ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['not JSON', '{a:1}'],
    ['too deep', '['.repeat(100) + ']'.repeat(100)],
  ])('refuses JSON with %s', async (_name, body) => {
    const before = sink.requests.length;
    for (const type of ['application/json', 'application/JSON; charset=utf-8', 'application/vnd.api+json']) {
      expect(await post({ body, type })).toMatchObject({ status: 400, json: { code: 'body-unreadable' } });
    }
    expect(sink.requests.length).toBe(before);
  });

  it('takes the limits of a grant: bytes, rate, and a body on GET', async () => {
    expect((await post({ body: 'a'.repeat(16), host: 'small.example.com' })).status).toBe(200);
    expect(await post({ body: 'a'.repeat(17), host: 'small.example.com' })).toMatchObject({ status: 403 });
    expect((await post({ body: 'x', host: 'body.example.com', method: 'GET' })).status).toBe(200);
    expect(sink.requests.at(-1)?.body.toString()).toBe('x');
    const get = 'GET http://rate.example.com/ HTTP/1.1\r\nHost: rate.example.com\r\n\r\n';
    using client = await RawClient.to(rig.ports.proxy);
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await client.ask(get)).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it('408 when the body stops arriving', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send('POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 5\r\n\r\nab');
    expect(await client.answer()).toMatchObject({ status: 408, json: { code: 'request-timeout' } });
  });

  it('answers Expect: 100-continue itself, after the head was read', async () => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send(
      'POST http://api.example.com/e HTTP/1.1\r\nHost: api.example.com\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    );
    expect(await client.until((text) => text.includes('\r\n\r\n'))).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.received = Buffer.alloc(0);
    expect((await client.ask('ok')).status).toBe(200);
    expect(sink.requests.at(-1)?.headers).not.toHaveProperty('expect');
    using refused = await RawClient.to(rig.ports.proxy);
    const head =
      'POST http://api.example.com/ HTTP/1.1\r\nHost: other.example.com\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
    refused.send(head);
    expect(await refused.rest()).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('503 when a session holds too many bodies at once, and room again afterwards', async () => {
    const head = `POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: ${cap}\r\n\r\n`;
    const clients = await Promise.all(Array.from({ length: 4 }, () => RawClient.to(rig.ports.proxy)));
    for (const client of clients) client.send(head + 'a'.repeat(cap - 1));
    let full: Answer | null = null;
    await rig.until(async () => {
      full = await post({ body: 'aaaaaaaa' });
      return full.status === 503;
    });
    expect(full).toMatchObject({ json: { code: 'memory-full' } });
    for (const client of clients) client[Symbol.dispose]();
    await rig.until(async () => (await post({ body: Buffer.alloc(cap, 'b') })).status === 200);
  });

  it.each([
    ['application/x-www-form-urlencoded', 'a=b', 'form'],
    ['text/plain', 'a', 'text'],
    ['text/plain', Buffer.from([0xff]), 'opaque'],
    ['multipart/form-data; boundary=x', '--x--', 'opaque'],
    ['application/json', '[]', 'json'],
    ['application/json', '', 'none'],
  ])('calls %s %s what it is', async (type, body, kind) => {
    expect((await post({ body, type })).status).toBe(200);
    const decision = (await rig.entriesOf('decision')).at(-1);
    const kept = new JournalArchive(join(rig.home, 'journal'));
    let text = '';
    for await (const { entry, position } of readJournal(join(rig.home, 'journal'), 'gw')) {
      if (entry.wseq === decision?.wseq && entry.seal !== null)
        text = Buffer.from(kept.body(position, entry)).toString();
    }
    expect(JSON.parse(text)).toMatchObject({ intent: { payload: { kind } }, decision: { outcome: 'allow' } });
  });

  it('keeps the body beside its start entry under its digest', async () => {
    await post({ body: '{"kept":true}', type: 'application/json' });
    await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
    const starts = await rig.entriesOf('start');
    const kept = starts.at(-1);
    expect(kept?.seal?.bytes).toBe(13);
    expect(kept?.seal?.digest).toContain(String(kept?.data['payload']));
  });
});
