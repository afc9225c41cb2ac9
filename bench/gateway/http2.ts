import { Agent, request as sendRequest } from 'node:http';
import { type ClientHttp2Session, connect as connectH2 } from 'node:http2';
import { parseArgs } from 'node:util';
import { print, printMachine, summarize } from '../support/measure.ts';
import { cpuMicros, endArms, type RunningArm, startArm } from './arms.ts';
import { type Ask, mix, take } from './mix.ts';
import { answer, domain } from './ready.ts';
import { open } from './through.ts';

/**
 * HTTP/2 against HTTP/1.1, straight to the server and through the gateway, over TLS that is kept:
 *
 *     node --conditions=cordon-source bench/gateway/http2.ts [--requests 2000] [--rounds 5] [--parallel 32] [--protocols h2]
 *
 * Each protocol carries one request at a time, and then 32: over 32 connections, or as 32 streams of one. The server
 * speaks what it is asked for, so behind the gateway it is the same protocol again. Arms take turns in every round, and
 * one whose answer is wrong stops the run. Processor time is the gateway's own, whatever else the machine does.
 */
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    parallel: { type: 'string', default: '32' },
    /** One of them alone, to profile it. */
    protocols: { type: 'string', default: 'http/1.1,h2' },
  },
});

type Protocol = 'http/1.1' | 'h2';
const protocols = (['http/1.1', 'h2'] as const).filter((each) => values.protocols.split(',').includes(each));
const host = `api.${domain}`;

interface Way {
  readonly arm: RunningArm;
  readonly protocol: Protocol;
  /** ms of a request, one at a time; requests a second, and µs of the arm's processor time a request, at many. */
  readonly one: number[];
  readonly many: number[];
  readonly cpu: number[];
  readonly cpuOne: number[];
}

interface Client extends Disposable {
  ask(what: Ask): Promise<void>;
}

async function connect(arm: RunningArm, protocol: Protocol, parallel: number): Promise<Client> {
  if (protocol === 'h2') {
    const socket = await open(arm, host, 'h2');
    const session = connectH2(`https://${host}:${arm.upstream}`, { createConnection: () => socket });
    await new Promise((resolve, reject) => session.once('remoteSettings', resolve).once('error', reject));
    return { ask: (what) => askH2(session, what), [Symbol.dispose]: () => session.destroy() };
  }
  const agent = new Agent({ keepAlive: true, maxSockets: parallel });
  agent.createConnection = (_options, done) => {
    open(arm, host).then(
      (socket) => done?.(null, socket),
      (error: unknown) => done?.(error as Error, undefined as never),
    );
    return undefined as never;
  };
  return { ask: (what) => askH1(agent, arm.upstream, what), [Symbol.dispose]: () => agent.destroy() };
}

function check(status: number | undefined, parts: readonly Buffer[]): void {
  const text = Buffer.concat(parts).toString();
  if (status !== 200 || text !== answer) throw new Error(`wrong answer: ${status} ${text.slice(0, 500)}`);
}

const lengthOf = (body: string | null) =>
  body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length };

function askH1(agent: Agent, port: number, { method, path, body }: Ask): Promise<void> {
  const headers = { host: `${host}:${port}`, ...lengthOf(body) };
  return new Promise((resolve, reject) => {
    const out = sendRequest({ agent, host, port, method, path, headers }, (inbound) => {
      const parts: Buffer[] = [];
      inbound.on('data', (part: Buffer) => parts.push(part));
      inbound.on('error', reject);
      inbound.on('end', () => {
        check(inbound.statusCode, parts);
        resolve();
      });
    });
    out.on('error', reject);
    out.end(body ?? undefined);
  });
}

function askH2(session: ClientHttp2Session, { method, path, body }: Ask): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ':method': method, ':path': path, ...lengthOf(body) };
    const stream = session.request(headers, { endStream: body === null });
    const parts: Buffer[] = [];
    let status: number | undefined;
    stream.on('response', (fields) => {
      status = fields[':status'];
    });
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', reject);
    stream.on('end', () => {
      check(status, parts);
      resolve();
    });
    if (body !== null) stream.end(body);
  });
}

/** Closed loop: as many as are wanted at once, each asking again as soon as it has its answer. */
async function drive(way: Way, parallel: number, count: number, seed: number): Promise<void> {
  using client = await connect(way.arm, way.protocol, parallel);
  // Connections are made first: this measures what is kept.
  await Promise.all(Array.from({ length: parallel }, () => client.ask({ method: 'GET', path: '/', body: null })));
  const asks = take(mix(seed), count);
  const pid = way.arm.child.pid ?? 0;
  const before = cpuMicros(pid);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let each = asks.next(); each.done !== true; each = asks.next()) {
        const from = performance.now();
        await client.ask(each.value);
        if (parallel === 1) way.one.push(performance.now() - from);
      }
    }),
  );
  const micros = (cpuMicros(pid) - before) / count;
  (parallel === 1 ? way.cpuOne : way.cpu).push(micros);
  if (parallel > 1) way.many.push(count / ((performance.now() - started) / 1000));
}

const requests = Number(values.requests);
const parallel = Number(values.parallel);
printMachine();
const upstream = await startArm('upstream-h2', null);
if (upstream === null) throw new Error('no upstream');
const ways: Way[] = [];
const arms: RunningArm[] = [];
for (const name of ['direct', 'gateway']) {
  const arm = await startArm(name, upstream);
  if (arm === null) throw new Error(`no ${name}`);
  arms.push(arm);
  for (const protocol of protocols) ways.push({ arm, protocol, one: [], many: [], cpu: [], cpuOne: [] });
}
for (const way of ways) {
  await drive(way, 4, requests, 999_983);
  for (const samples of [way.one, way.many, way.cpu, way.cpuOne]) samples.length = 0;
}
for (let round = 0; round < Number(values.rounds); round++) {
  // Whoever comes first in a round is not always the same.
  for (const way of round % 2 === 0 ? ways : [...ways].reverse()) {
    await drive(way, 1, requests, 2 * round + 1);
    await drive(way, parallel, requests, 2 * round + 2);
  }
}
for (const way of ways) {
  const { arm, protocol } = way;
  console.log(`${arm.name}, ${protocol}`);
  const one = summarize(way.one);
  print('  1 at a time', one);
  const direct = ways.find((each) => each.arm.name === 'direct' && each.protocol === protocol);
  if (direct !== undefined && direct !== way) {
    const added = one.median - summarize(direct.one).median;
    console.log(`${' '.repeat(45)}median ${one.median.toFixed(3)} ms, added ${added.toFixed(3)} ms`);
  }
  print(`  ${parallel} at a time`, summarize(way.many), '/s');
  if (arm.name === 'direct') continue;
  print('    processor time a request, 1 at a time', summarize(way.cpuOne), 'µs');
  print(`    processor time a request, ${parallel} at a time`, summarize(way.cpu), 'µs');
}
/** Of each round by itself, so that what else the machine does is the same for both. */
function ratio(name: string, key: 'many' | 'cpu' | 'cpuOne'): number {
  const of = (protocol: Protocol): readonly number[] =>
    ways.find((way) => way.arm.name === name && way.protocol === protocol)?.[key] ?? [];
  const two = of('h2');
  return summarize(of('http/1.1').map((one, round) => (two[round] ?? Number.NaN) / one)).median;
}
if (protocols.length === 2) {
  for (const { name } of arms) {
    console.log(`${name}: HTTP/2 carries ${ratio(name, 'many').toFixed(2)} of HTTP/1.1's requests a second`);
    if (name === 'direct') continue;
    const [one, many] = [ratio(name, 'cpuOne'), ratio(name, 'cpu')];
    console.log(`  at ${many.toFixed(2)} of its processor time a request; one at a time ${one.toFixed(2)}`);
  }
}
endArms([...arms, upstream]);
