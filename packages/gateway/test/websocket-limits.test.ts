import { connect } from 'node:net';
import { WebSocketSink } from '@cordon/testkit';
import { frame, opcodes } from '@cordon/testkit/hostile';
import { afterEach, expect, it } from 'vitest';
import type { GatewayLimits } from '../src/limits.ts';
import { RawClient } from './client.ts';
import { Rig } from './rig.ts';

const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function start(limits: Partial<GatewayLimits>): Promise<{ rig: Rig; server: WebSocketSink }> {
  const server = await WebSocketSink.start();
  stack.push(server);
  const hosts = { 'live.example:80': server.port };
  const rig = await Rig.start({ grants: [{ allow: 'ws://live.example/feed' }], hosts, limits });
  stack.push(rig);
  return { rig, server };
}

/** An open WebSocket whose frames the test writes; it never ends its own half. */
async function open(rig: Rig): Promise<RawClient> {
  const socket = connect({ port: rig.ports.http, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const client = new RawClient(socket);
  const head = ['GET /feed HTTP/1.1', 'Host: live.example', 'Upgrade: websocket', 'Connection: Upgrade'];
  const key = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
  client.send([...head, ...key, '', ''].join('\r\n'));
  await client.until((text) => text.includes('\r\n\r\n'));
  expect(client.received.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
  client.received = Buffer.alloc(0);
  return client;
}

async function endCode(rig: Rig): Promise<unknown> {
  await rig.until(async () => (await rig.entriesOf('outcome')).length > 0);
  return (await rig.entriesOf('outcome')).at(-1)?.data['code'];
}

const closeOf = (client: RawClient): number => client.received.readUInt16BE(client.received.lastIndexOf(0x88) + 2);

it('a message counts as memory of its session while it is not whole', async () => {
  const { rig, server } = await start({ bodyBytesHeldPerSessionMax: 10_000 });
  using client = await open(rig);
  client.send(frame(opcodes.binary, Buffer.alloc(8_000), true));
  await rig.until(() => server.received.length === 1);
  client.send(frame(opcodes.binary, Buffer.alloc(60_000), true));
  await client.rest();
  expect(closeOf(client)).toBe(1013);
  expect(await endCode(rig)).toBe('memory-full');
  expect(server.received).toHaveLength(1);
});

it('pieces in which a message comes are counted, however small they are', async () => {
  const { rig, server } = await start({ websocketChunksMax: 8 });
  using client = await open(rig);
  client.send(frame(opcodes.binary, '', true, { length: 1_000_000n }));
  for (let i = 0; i < 5_000 && !client.ended; i++) {
    client.send('x');
    // The other side reads in between, so pieces do not become one on the way.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.rest();
  expect(closeOf(client)).toBe(1008);
  expect(await endCode(rig)).toBe('websocket-flood');
  expect(server.received).toEqual([]);
});

it('who does not answer a close frame is dropped', async () => {
  const { rig } = await start({ websocketCloseMs: 100 });
  using client = await open(rig);
  client.send(frame(opcodes.text, Buffer.from([0xff]), true));
  await client.rest();
  expect(closeOf(client)).toBe(1007);
  // The client has not closed its half and never will.
  expect(client.socket.writable).toBe(true);
  await rig.until(() => rig.gateway.stats().sockets === 0);
});

it('a WebSocket is a request in flight for as long as it lasts', async () => {
  const { rig } = await start({ requestsInFlightMax: 1 });
  using first = await open(rig);
  using second = await RawClient.to(rig.ports.http);
  const refused = await second.ask('GET /feed HTTP/1.1\r\nHost: live.example\r\n\r\n');
  expect(refused).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
  first.socket.destroy();
  await rig.until(() => rig.gateway.stats().inFlight === 0);
});
