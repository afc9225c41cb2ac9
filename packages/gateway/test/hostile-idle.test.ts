import { connect, type Socket } from 'node:net';
import { HttpSink } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { RawClient } from './client.ts';
import { GatewayProcess } from './gateway-process.ts';

const sessions = 40;
const each = 250;
const perSessionMax = 256;
/** Opened at once; more would only measure the backlog. */
const batch = 200;
const own = 'GET http://cordon.internal/denials HTTP/1.1\r\nHost: cordon.internal\r\n\r\n';
const request = 'GET http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n';
const flood = `GET http://api.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n\r\n`;

/** A connection on which one request was served and nothing follows. */
function openIdle(port: number): Promise<Socket> {
  return served(connect({ port, host: '127.0.0.1' }));
}

function served(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed while it was opened')));
    socket.once('connect', () => socket.write(own));
    socket.once('data', () => {
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      // Else its end would not be seen.
      socket.resume();
      resolve(socket);
    });
  });
}

/**
 * null: not taken on. The kernel has made the connection; without descriptors the gateway closes it, or leaves it in the
 * backlog when even libuv's spare descriptor is gone.
 */
async function openOrNot(port: number): Promise<Socket | null> {
  const tried = connect({ port, host: '127.0.0.1' });
  const patience = setTimeout(() => tried.destroy(), 20_000);
  try {
    return await served(tried);
  } catch {
    return null;
  } finally {
    clearTimeout(patience);
  }
}

async function openAll(ports: readonly number[]): Promise<Socket[]> {
  const open: Socket[] = [];
  for (let at = 0; at < ports.length; at += batch) {
    open.push(...(await Promise.all(ports.slice(at, at + batch).map(openIdle))));
  }
  return open;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('waited 60 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('10,000 idle connections', () => {
  it('are held, cost a neighbour nothing that it can see, and leave nothing behind', { timeout: 180_000 }, async () => {
    await using sink = await HttpSink.start();
    await using gateway = await GatewayProcess.start({ sessions: sessions + 1, upstreamPort: sink.port });
    const neighbour = gateway.ports.at(-1) ?? 0;
    using before = await RawClient.to(neighbour);
    expect((await before.ask(request)).status).toBe(200);
    const empty = await gateway.figures();

    const idle = await openAll(
      gateway.ports.slice(0, sessions).flatMap((port) => Array.from({ length: each }, () => port)),
    );
    expect((await gateway.figures()).sockets).toBe(sessions * each + 1);

    // One session opens all that it may; the next one is refused, and nobody else's.
    const greedy = gateway.ports[0] ?? 0;
    const more = await openAll(Array.from({ length: perSessionMax - each }, () => greedy));
    using refused = await RawClient.to(greedy);
    expect(await refused.rest()).toContain('"code": "too-many-connections"');
    using other = await RawClient.to(gateway.ports[1] ?? 0);
    expect((await other.ask(own)).status).toBe(200);

    // Slow heads, and floods of what is refused, in other sessions; the neighbour is served all the while.
    const slow = await Promise.all(gateway.ports.slice(2, 6).map((port) => RawClient.to(port)));
    for (const client of slow) client.send('POST http://api.example.com/ HTTP/1.1\r\nHost: api.exa');
    const floods = gateway.ports.slice(6, 10).map(async (port) => {
      for (let i = 0; i < 25; i++) {
        using client = await RawClient.to(port);
        expect((await client.ask(flood)).status).toBe(400);
      }
    });
    for (let i = 0; i < 20; i++) {
      using client = await RawClient.to(neighbour);
      expect((await client.ask(request)).status).toBe(200);
    }
    await Promise.all(floods);
    expect((await gateway.figures()).sockets).toBeGreaterThanOrEqual(sessions * each);
    expect(idle.filter((socket) => socket.closed).length).toBe(0);

    for (const socket of [...idle, ...more]) socket.destroy();
    for (const client of slow) client[Symbol.dispose]();
    other[Symbol.dispose]();
    await until(async () => (await gateway.figures()).sockets <= 1);
    expect((await before.ask(request)).status).toBe(200);
    await until(async () => {
      const { descriptors, heapBytes } = await gateway.figures();
      // Half of what one socket of 10,000 would need, if each left only 2 KiB behind.
      return descriptors <= empty.descriptors + 20 && heapBytes < empty.heapBytes + 10 * 1024 * 1024;
    });
  });
});

describe('no descriptors left', () => {
  it('new connections are closed, held ones go on, and there is room again afterwards', {
    timeout: 120_000,
  }, async () => {
    await using sink = await HttpSink.start();
    // What Node and the rig themselves need, and about a hundred connections.
    await using gateway = await GatewayProcess.start({ sessions: 2, upstreamPort: sink.port }, 180);
    const [port = 0, neighbour = 0] = gateway.ports;
    using held = await RawClient.to(neighbour);
    expect((await held.ask(request)).status).toBe(200);

    const open: Socket[] = [];
    let last: Socket | null = null;
    do {
      last = await openOrNot(port);
      if (last !== null) open.push(last);
    } while (last !== null && open.length < 240);
    expect(last).toBeNull();
    expect(open.length).toBeGreaterThan(10);
    expect(gateway.running).toBe(true);
    expect((await held.ask(own)).status).toBe(200);
    // Its own server cannot be dialled, or an idle socket to it is used: served or refused, never left waiting.
    expect([200, 502]).toContain((await held.ask(request)).status);

    for (const socket of open) socket.destroy();
    await until(async () => (await gateway.figures()).sockets <= 1);
    using again = await RawClient.to(port);
    expect((await again.ask(request)).status).toBe(200);
  });
});
