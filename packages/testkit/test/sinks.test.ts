import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeClock, HttpSink, SeededRandom, TcpSink, UdpSink } from '../src/index.ts';

describe('sinks', () => {
  it('record requests as they came', async () => {
    await using sink = await HttpSink.start({ answer: (request) => ({ status: 201, body: request.method }) });
    const answer = await fetch(`http://127.0.0.1:${sink.port}/a/b?c=d`, { method: 'POST', body: 'hello' });
    expect([answer.status, await answer.text()]).toEqual([201, 'POST']);
    expect(sink.requests.map(({ method, target, body }) => [method, target, body.toString()])).toEqual([
      ['POST', '/a/b?c=d', 'hello'],
    ]);
  });

  it('count a connection that never speaks', async () => {
    await using http = await HttpSink.start();
    await using tcp = await TcpSink.start();
    for (const port of [http.port, tcp.port]) {
      const socket = connect(port, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
    }
    await expect.poll(() => [http.connections, tcp.connections]).toEqual([1, 1]);
    expect([http.requests, tcp.received]).toEqual([[], []]);
  });

  it('keep what a TCP peer sent', async () => {
    await using sink = await TcpSink.start();
    const socket = connect(sink.port, '127.0.0.1');
    socket.end('secret');
    await expect.poll(() => sink.received.map(String)).toEqual(['secret']);
    expect(sink.connections).toBe(1);
  });

  it('keep datagrams, and the names of questions', async () => {
    await using udp = await UdpSink.start();
    const socket = createSocket('udp4');
    socket.send('ping', udp.port, '127.0.0.1');
    await expect.poll(() => udp.received.map(String)).toEqual(['ping']);
    socket.close();

    await using names = await UdpSink.start({ dns: true });
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`127.0.0.1:${names.port}`]);
    await expect(resolver.resolve4('stolen-data.evil.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(names.names).toContain('stolen-data.evil.example');
    expect(names.datagrams).toBeGreaterThan(0);
  });
});

describe('fakes', () => {
  it('move time only when told', () => {
    const clock = new FakeClock(1000);
    clock.advance(500);
    clock.setWall(10);
    expect([clock.now(), clock.monotonic()]).toEqual([10, 500]);
  });

  it('repeat randomness from a seed and differ between seeds', () => {
    const hex = (seed: number): string => Buffer.from(new SeededRandom(seed).bytes(16)).toString('hex');
    expect(hex(7)).toBe(hex(7));
    expect(new Set([0, 1, 2, 3].map(hex)).size).toBe(4);
  });
});
