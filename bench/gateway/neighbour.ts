import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { HttpSink } from '@cordon/testkit';
import { RawClient } from '../../packages/gateway/test/client.ts';
import { GatewayProcess } from '../../packages/gateway/test/gateway-process.ts';
import { printMachine } from '../support/measure.ts';

/**
 * What a session notices of its neighbours in the same gateway:
 *
 *     node --conditions=cordon-source bench/gateway/neighbour.ts [--seconds 5] [--rate 100] [--rounds 3]
 *
 * One session asks at a fixed rate (a late answer delays no question), each answer checked: alone · beside 10,000 idle
 * connections of 40 sessions · beside these and slow heads and bodies · beside these and floods of refused and denied
 * requests from 8 sessions, one after the other as fast as each is answered. Whoever crowds runs in another process.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rate: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    crowd: { type: 'string' },
    ports: { type: 'string', default: '' },
  },
});
const sessions = 40;
const idlePerSession = 250;
const line = (host: string): string => `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const own = 'GET http://cordon.internal/denials HTTP/1.1\r\nHost: cordon.internal\r\n\r\n';

async function idle(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(own);
  await once(socket, 'data');
  return socket.resume();
}

/** Heads and bodies of which a byte comes now and then. */
async function slow(port: number): Promise<void> {
  const starts = [
    'GET http://api.example.com/',
    'POST http://api.example.com/ HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 99999\r\n\r\n',
  ];
  for (const start of starts) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write(start);
    setInterval(() => socket.write('a'), 20);
  }
}

/** Refused, denied, and refused again; the next as soon as the last was answered. */
async function flood(port: number): Promise<never> {
  for (;;) {
    using client = await RawClient.to(port);
    // One that has been denied too often in a minute is refused undecided, and its connection ends: it comes again.
    try {
      for (const host of ['other.example.com', 'third.example.com']) await client.ask(line(host));
      await client.ask('GET http://api.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n\r\n');
    } catch (error) {
      if (!client.socket.destroyed && !client.socket.readableEnded) throw error;
    }
  }
}

/** The crowd's own process: says `there` when it is. */
async function runCrowd(kind: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) await Promise.all(Array.from({ length: idlePerSession }, () => idle(port)));
  if (kind !== 'idle') for (const port of ports.slice(0, 8)) await slow(port);
  if (kind === 'flood') for (const port of ports.slice(8, 16)) flood(port).catch(() => process.exit(1));
  process.send?.('there');
  process.once('disconnect', () => process.exit(0));
}

async function crowd(kind: string, ports: readonly number[]): Promise<ChildProcess> {
  const args = ['--crowd', kind, '--ports', ports.join(',')];
  const child = fork(import.meta.filename, args, { execArgv: ['--conditions=cordon-source'] });
  await once(child, 'message');
  return child;
}

/** Milliseconds from when each question was due to its whole answer. */
async function ask(port: number, seconds: number, rate: number): Promise<number[]> {
  const free = await Promise.all(Array.from({ length: 16 }, () => RawClient.to(port)));
  const started = performance.now();
  const asked = Array.from({ length: seconds * rate }, async (_, i) => {
    const due = started + (i * 1000) / rate;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    // Late answers delay no question: it gets a connection of its own.
    const client = free.pop() ?? (await RawClient.to(port));
    const { status } = await client.ask(line('api.example.com'));
    if (status !== 200) throw new Error(`the neighbour got ${status}`);
    free.push(client);
    return performance.now() - due;
  });
  const times = await Promise.all(asked);
  for (const client of free) client[Symbol.dispose]();
  return times;
}

async function measure(): Promise<void> {
  printMachine();
  const [seconds, rate, rounds] = [Number(values.seconds), Number(values.rate), Number(values.rounds)];
  await using sink = await HttpSink.start();
  await using gateway = await GatewayProcess.start({ sessions: sessions + 1, upstreamPort: sink.port });
  const ports = gateway.ports.slice(0, sessions);
  const neighbour = gateway.ports.at(-1) ?? 0;
  await ask(neighbour, 3, rate);
  const kinds = ['alone', 'idle', 'slow', 'flood'] as const;
  const times = new Map<string, number[]>(kinds.map((kind) => [kind, []]));
  const memory = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const beside = kind === 'alone' ? null : await crowd(kind, ports);
      times.get(kind)?.push(...(await ask(neighbour, seconds, rate)));
      memory.set(kind, (await gateway.figures()).rssBytes);
      if (beside === null) continue;
      const gone = once(beside, 'exit');
      beside.disconnect();
      await gone;
      while ((await gateway.figures()).sockets > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const at = (sorted: readonly number[], share: number): number =>
    sorted[Math.floor(share * sorted.length)] ?? Number.NaN;
  const alone = at(
    [...(times.get('alone') ?? [])].sort((a, b) => a - b),
    0.99,
  );
  for (const kind of kinds) {
    const sorted = [...(times.get(kind) ?? [])].sort((a, b) => a - b);
    const [p50, p99] = [at(sorted, 0.5), at(sorted, 0.99)];
    const rss = Math.round((memory.get(kind) ?? 0) / 2 ** 20);
    console.log(
      `${kind.padEnd(8)} p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms   ${(p99 / alone).toFixed(2)} × alone   n ${sorted.length}   gateway ${rss} MiB`,
    );
  }
}

if (values.crowd === undefined) await measure();
else await runCrowd(values.crowd, values.ports.split(',').map(Number));
