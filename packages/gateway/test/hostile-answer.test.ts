import { createServer, type Server, type Socket } from 'node:net';
import { answerRows, brokenBodies, poison, trailingAnswers } from '@cordon/testkit/hostile';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

let server: Server;
let rig: Rig;
/** What the server answers to a path: bytes as they are. */
const scripts = new Map<string, { readonly bytes: string; readonly ends: boolean }>();
const open = new Set<Socket>();
/** Every request that reached the server, with the number of the connection that carried it. */
const seen: Array<{ readonly connection: number; readonly target: string }> = [];
let connections = 0;
/** Sent before the first request of each connection. */
let greeting = '';

beforeAll(async () => {
  server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    if (greeting !== '') socket.write(greeting);
    socket.on('data', (chunk: Buffer) => {
      const target = chunk.toString('latin1').split(' ')[1] ?? '';
      seen.push({ connection, target });
      const script = scripts.get(target);
      const body = `good ${target}`;
      socket.write(script?.bytes ?? `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`, 'latin1');
      if (script?.ends === true) socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  rig = await Rig.start({
    grants: [{ allow: 'http://api.example.com', methods: ['GET', 'HEAD'] }],
    hosts: { 'api.example.com:80': address.port },
  });
});

afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  for (const socket of open) socket.destroy();
  server.close();
});

let asked = 0;

function request(method: string, path: string): string {
  return `${method} http://api.example.com${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`;
}

function script(bytes: string, ends: boolean): string {
  asked += 1;
  const path = `/row-${asked}`;
  scripts.set(path, { bytes, ends });
  return path;
}

/** The next requests of the session get their own answers, whatever was left on the sockets to the server. */
async function expectInStep(client?: RawClient): Promise<void> {
  using own = client === undefined ? await RawClient.to(rig.ports.proxy) : null;
  for (let i = 0; i < 3; i++) {
    asked += 1;
    const answer = await (client ?? own)?.ask(request('GET', `/good-${asked}`));
    expect(answer).toMatchObject({ status: 200, body: `good /good-${asked}` });
  }
}

async function outcomeCodes(): Promise<string[]> {
  return (await rig.entriesOf('outcome')).map((entry) => String(entry.data['code']));
}

async function expectOutcome(before: number, code: string): Promise<void> {
  await rig.until(async () => (await outcomeCodes()).length > before);
  expect((await outcomeCodes())[before]).toBe(code);
}

describe('a server that splits or frames in two ways', () => {
  it.each(answerRows)('502, and no later request is touched: $name', async (row) => {
    const before = (await outcomeCodes()).length;
    using client = await RawClient.to(rig.ports.proxy);
    const path = script(row.bytes, row.ends);
    expect(await client.ask(request('GET', path))).toMatchObject({ status: 502, json: { code: row.code } });
    await expectOutcome(before, row.code);
    const bad = seen.find(({ target }) => target === path)?.connection;
    await expectInStep(client);
    expect(seen.filter(({ connection }) => connection === bad).at(-1)?.target).toBe(path);
  });

  it.each(brokenBodies)('ends visibly: $name', async (row) => {
    const before = (await outcomeCodes()).length;
    using client = await RawClient.to(rig.ports.proxy);
    const path = script(row.bytes, row.ends);
    client.send(request('GET', path));
    const text = await client.rest();
    // Begun, and cut before its end: neither the announced length nor the last chunk is there.
    expect(client.ended).toBe(true);
    expect(text.endsWith('0\r\n\r\n')).toBe(false);
    expect(text).not.toMatch(/Content-Length: 2\r/);
    await expectOutcome(before, row.code);
    const bad = seen.find(({ target }) => target === path)?.connection;
    await expectInStep();
    expect(seen.filter(({ connection }) => connection === bad).at(-1)?.target).toBe(path);
  });

  it.each(trailingAnswers)('a second answer is read by nobody: $name', async (row) => {
    using client = await RawClient.to(rig.ports.proxy);
    client.send(request(row.method, script(row.bytes, false)));
    if (row.body === '') {
      const head = await client.until((text) => text.endsWith('\r\n\r\n'));
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${row.status} [^]*\\r\\n\\r\\n$`));
      client.received = Buffer.alloc(0);
    } else {
      expect(await client.answer()).toMatchObject({ status: row.status, body: row.body });
    }
    await expectInStep(client);
    expect(client.received.toString()).toBe('');
  });

  it('an answer before the question is no answer to the one after', async () => {
    greeting = poison;
    for (const socket of open) socket.destroy();
    await rig.until(() => open.size === 0);
    using client = await RawClient.to(rig.ports.proxy);
    const first = await client.ask(request('GET', '/greeted'));
    greeting = '';
    // The server may answer its own first question as it likes; from then on the socket is out of step and gone.
    expect(first.status).toBe(200);
    await expectInStep(client);
  });
});
