import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { parseArgs } from 'node:util';
import { TestCa } from '@cordon/testkit';
import {
  authorityRows,
  chunkFloods,
  chunkRows,
  codedBombs,
  codingRows,
  h2FloodRows,
  h2HeadRows,
  h2SessionRows,
  headRows,
  jsonBombs,
  lineRows,
  parserRows,
  slowBodies,
  slowHeads,
} from '@cordon/testkit/hostile';
import { connectThrough, RawClient } from '../../packages/gateway/test/client.ts';
import { H2Client, tlsThrough } from '../../packages/gateway/test/h2-client.ts';
import { type Ports, Rig } from '../../packages/gateway/test/rig.ts';
import { printMachine, summarize } from '../support/measure.ts';

/**
 * Memory of one gateway under mixed load, hostile and normal, for as long as is asked:
 *
 *     node --conditions=cordon-source bench/gateway/soak.ts [--minutes 60] [--rate 40]
 *
 * Three sessions ask at `rate` a second in all, over plain http, kept and new intercepted TLS, and HTTP/2; each answer is checked. Two
 * send the hostile suite's inputs one after the other, and hold slow connections. Every 30 s the gateway's heap (after
 * a collection), resident memory, open descriptors and sockets are taken; at the end the slope of the last two thirds.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '40' },
    role: { type: 'string' },
    upstreams: { type: 'string', default: '' },
  },
});
const host = 'api.example.com';
const serverCa = new TestCa('Servers of the soak');
const others = Array.from({ length: 4 }, (_, i) => `ses_01arz3ndektsv4rrffq6${String(i).padStart(6, '0')}`);
const text = 'x'.repeat(1000);

interface Ready {
  readonly ports: readonly Ports[];
  readonly ca: string;
}
interface Sample {
  readonly heap: number;
  /** Buffers, which lie outside the heap. */
  readonly buffers: number;
  readonly rss: number;
  readonly sockets: number;
  readonly decisions: number;
}

async function serveGateway(): Promise<void> {
  const [plain = 0, tls = 0] = values.upstreams.split(',').map(Number);
  const methods = ['GET', 'POST'];
  const rig = await Rig.start({
    grants: [
      { allow: `http://${host}`, methods },
      { allow: host, methods },
    ],
    hosts: { [`${host}:80`]: plain, [`${host}:443`]: tls },
    trust: [process.env['SOAK_CA'] ?? ''],
    sessions: others,
  });
  process.on('message', () => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
    const { sockets } = rig.gateway.stats();
    process.send?.({
      heap: heapUsed,
      buffers: arrayBuffers,
      rss,
      sockets,
      decisions: rig.journal.head.wseq,
    } satisfies Sample);
  });
  process.once('disconnect', () => void rig[Symbol.asyncDispose]().finally(() => process.exit(0)));
  process.send?.({ ports: others.map((id) => rig.portsOf(id)), ca: rig.ca.certificate } satisfies Ready);
}

/** Plain, and TLS with both versions. */
async function startUpstreams(): Promise<{ readonly servers: readonly Server[]; readonly ports: readonly number[] }> {
  const leaf = serverCa.issue([host]);
  const plain = createServer((request, response) => void request.resume().on('end', () => response.end(text)));
  const tls = createSecureServer({ ...leaf, allowHTTP1: true }, (request, response) => {
    request.resume();
    request.on('end', () => response.end(text));
  });
  tls.on('sessionError', () => undefined);
  const servers: readonly Server[] = [plain, tls as unknown as Server];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  return { servers, ports: servers.map((server) => (server.address() as AddressInfo).port) };
}

let answered = 0;
let hostile = 0;
const end = { reached: false };

function check(status: number, body: string): void {
  if (status !== 200 || body !== text) throw new Error(`wrong answer: ${status} ${body.slice(0, 300)}`);
  answered += 1;
}

const head = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One way of asking, again and again; a connection is used for a while and made anew. */
async function askPlain({ proxy }: Ports, everyMs: number): Promise<void> {
  for (let n = 0; !end.reached; ) {
    using client = await RawClient.to(proxy);
    for (let i = 0; i < 50 && !end.reached; i++, n++) {
      const { status, body } = await client.ask(head(`http://${host}/plain/${n % 100}`));
      check(status, body);
      await pause(everyMs);
    }
  }
}

async function askTls({ proxy }: Ports, ca: string, everyMs: number, each: number): Promise<void> {
  for (let n = 0; !end.reached; ) {
    using client = await connectThrough(proxy, { target: `${host}:443`, ca });
    for (let i = 0; i < each && !end.reached; i++, n++) {
      const { status, body } = await client.ask(head(`/tls/${n}`));
      check(status, body);
      await pause(everyMs);
    }
  }
}

async function askH2({ proxy }: Ports, ca: string, everyMs: number): Promise<void> {
  for (let n = 0; !end.reached; ) {
    using client = await H2Client.through(proxy, `${host}:443`, ca);
    for (let i = 0; i < 50 && !end.reached; i++, n++) {
      const { status, body } = await client.ask({ ':path': `/h2/${n % 100}` });
      check(status, body);
      await pause(everyMs);
    }
  }
}

/** Whatever comes back: that it is the right refusal is what the tests of the same rows say. */
async function attackHttp(ports: Ports): Promise<void> {
  const rows = [...codingRows, ...chunkRows, ...chunkFloods, ...lineRows, ...authorityRows, ...parserRows, ...headRows];
  while (!end.reached) {
    for (const row of rows) {
      if (end.reached) return;
      using client = await RawClient.to(ports.proxy);
      client.send(row.bytes(`http://${host}/`, host));
      await client.until((got) => got.length > 0, 500);
      hostile += 1;
      await pause(50);
    }
    for (const bomb of [...codedBombs, ...jsonBombs]) {
      using client = await RawClient.to(ports.proxy);
      const bytes = bomb.bytes();
      const fields = bomb.headers.map((line) => `${line}\r\n`).join('');
      client.send(`POST http://${host}/ HTTP/1.1\r\nHost: ${host}\r\n${fields}Content-Length: ${bytes.length}\r\n\r\n`);
      client.send(bytes);
      await client.until((got) => got.length > 0, 2000);
      hostile += 1;
    }
  }
}

async function attackH2({ proxy }: Ports, ca: string): Promise<void> {
  while (!end.reached) {
    for (const row of [...h2HeadRows, ...h2SessionRows, ...h2FloodRows]) {
      if (end.reached) return;
      const socket = await tlsThrough(proxy, { target: `${host}:443`, ca });
      socket.resume();
      socket.write(row.bytes(host));
      await Promise.race([once(socket, 'close').catch(() => undefined), pause(200)]);
      socket.destroy();
      hostile += 1;
    }
  }
}

async function attackSlowly({ proxy }: Ports): Promise<void> {
  while (!end.reached) {
    for (const row of [...slowHeads, ...slowBodies]) {
      if (end.reached) return;
      using client = await RawClient.to(proxy);
      client.send(row.start(`http://${host}/`, host));
      for (let i = 0; i < 10 && row.then === 'drip' && !end.reached; i++) {
        client.send(row.byte);
        await pause(200);
      }
      await pause(1000);
      hostile += 1;
    }
  }
}

async function sampleOf(child: ChildProcess): Promise<Sample> {
  const answer = once(child, 'message') as Promise<[Sample]>;
  child.send('sample');
  return (await answer)[0];
}

/** Least squares, per hour. */
function slopePerHour(values_: readonly number[], everyMs: number): number {
  const n = values_.length;
  const meanX = (n - 1) / 2;
  const meanY = values_.reduce((sum, value) => sum + value, 0) / n;
  const over = values_.reduce((sum, value, x) => sum + (x - meanX) * (value - meanY), 0);
  const under = values_.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return (over / under) * (3_600_000 / everyMs);
}

async function run(): Promise<void> {
  printMachine();
  const { servers, ports } = await startUpstreams();
  const child = fork(import.meta.filename, ['--role', 'gateway', '--upstreams', ports.join(',')], {
    execArgv: ['--expose-gc', '--conditions=cordon-source'],
    env: { ...process.env, SOAK_CA: serverCa.certificate },
  });
  child.once('exit', (status) => {
    if (!end.reached) throw new Error(`the gateway ended with ${status}`);
  });
  const [{ ports: at, ca }] = (await once(child, 'message')) as [Ready];
  const [one, two, three, four] = at;
  if (one === undefined || two === undefined || three === undefined || four === undefined) throw new Error('no ports');
  const everyMs = 5000 / Number(values.rate);
  const work = [
    askPlain(one, everyMs),
    askTls(one, ca, everyMs, 50),
    askTls(two, ca, everyMs, 1),
    askTls(two, ca, everyMs, 20),
    askH2(two, ca, everyMs),
    attackHttp(three),
    attackH2(four, ca),
    attackSlowly(three),
  ];
  const stopped = Promise.all(work);
  stopped.catch((error: unknown) => {
    throw error;
  });
  const minutes = Number(values.minutes);
  const sampleMs = Math.min(30_000, (minutes * 60_000) / 20);
  const samples: Sample[] = [];
  const until = performance.now() + minutes * 60_000;
  while (performance.now() < until) {
    await pause(sampleMs);
    const sample = await sampleOf(child);
    samples.push(sample);
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(6);
    console.log(
      `heap ${mib(sample.heap)} MiB   buffers ${mib(sample.buffers)} MiB   resident ${mib(sample.rss)} MiB   sockets ${String(sample.sockets).padStart(4)}   answered ${answered}   hostile ${hostile}   entries ${sample.decisions}`,
    );
  }
  end.reached = true;
  await stopped;
  const late = samples.slice(Math.floor(samples.length / 3));
  for (const key of ['heap', 'rss'] as const) {
    const summary = summarize(late.map((sample) => sample[key] / 2 ** 20));
    const slope = slopePerHour(
      late.map((sample) => sample[key] / 2 ** 20),
      sampleMs,
    );
    console.log(
      `${key}: last two thirds median ${summary.median.toFixed(1)} MiB, slope ${slope.toFixed(1)} MiB an hour`,
    );
  }
  child.disconnect();
  for (const server of servers) server.close();
}

if (values.role === 'gateway') await serveGateway();
else await run();
