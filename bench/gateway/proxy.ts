import { type ChildProcess, fork } from 'node:child_process';
import { Agent, createServer, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Rig } from '../../packages/gateway/test/rig.ts';
import { print, printMachine, summarize } from '../support/measure.ts';
import { type Ask, mix, take } from './mix.ts';

/**
 * Latency that the gateway adds and requests a second, against a bare Node forward proxy in the same run:
 *
 *     node --conditions=cordon-source bench/gateway/proxy.ts [--requests 2000] [--rounds 5] [--parallel 32]
 *
 * Arms, each a process of its own: direct · a bare proxy (node:http piped into node:http) · the gateway deciding and
 * recording every request, with the decision memo and without. Arms take turns in every round. An arm counts only if
 * every answer is the right one. The mix is a coding agent's: a few hot paths, package reads, and ever new ones.
 */
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    parallel: { type: 'string', default: '32' },
    role: { type: 'string' },
    upstream: { type: 'string', default: '0' },
  },
});
const host = 'api.example.com';
const answer = JSON.stringify({ ok: true, text: 'x'.repeat(1000) });

/** The share of measured requests that a memo has seen before; a decision knows a body by its size, not its content. */
function hitRate(rounds: number, count: number): number {
  const seen = new Set<string>();
  const isNew = ({ method, path, body }: Ask): boolean => {
    const key = `${method} ${path} ${body?.length ?? 0}`;
    const before = seen.size;
    return seen.add(key).size > before;
  };
  for (const ask of take(mix(warmUp.seed), Math.min(count, warmUp.requests))) isNew(ask);
  let again = 0;
  let all = 0;
  for (let round = 0; round < rounds; round++) {
    for (const ask of take(mix(seedOf(round, 'one')), count)) {
      again += isNew(ask) ? 0 : 1;
      all += 1;
    }
    for (const ask of take(mix(seedOf(round, 'many')), count)) isNew(ask);
  }
  return again / all;
}

const warmUp = { seed: 999_983, requests: 2_000 } as const;

/** Each pass has new paths of its own, or the later ones would find all of them in the memo. */
function seedOf(round: number, pass: 'one' | 'many'): number {
  return 2 * round + (pass === 'one' ? 1 : 2);
}

function serveUpstream(): void {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.resume();
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length });
      response.end(answer);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

function serveBare(upstream: number): void {
  const agent = new Agent({ keepAlive: true });
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const { pathname } = new URL(request.url ?? '/');
    const onward = { agent, host: '127.0.0.1', port: upstream, method: request.method, path: pathname };
    const out = sendRequest({ ...onward, headers: request.headers }, (inbound) => {
      response.writeHead(inbound.statusCode ?? 502, inbound.headers);
      inbound.pipe(response);
    });
    request.pipe(out);
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
}

async function serveGateway(upstream: number, memo: boolean): Promise<void> {
  const rig = await Rig.start({
    grants: [{ allow: `http://${host}`, methods: ['GET', 'POST'] }],
    hosts: { [`${host}:80`]: upstream },
    ...(memo ? {} : { memoEntries: 0 }),
  });
  process.send?.(rig.ports.proxy);
  process.on('disconnect', () => {
    void rig[Symbol.asyncDispose]().finally(() => process.exit(0));
  });
}

async function start(role: string, upstream = 0): Promise<{ port: number; child: ChildProcess }> {
  const child = fork(import.meta.filename, ['--role', role, '--upstream', String(upstream)]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', (status) => reject(new Error(`${role} ended with ${status}`)));
  });
  return { port, child };
}

function ask(agent: Agent, port: number, proxied: boolean, { method, path, body }: Ask): Promise<number> {
  const started = performance.now();
  const target = proxied ? `http://${host}${path}` : path;
  const headers =
    body === null ? { host } : { host, 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const out = sendRequest({ agent, host: '127.0.0.1', port, method, path: target, headers }, (inbound) => {
      let bytes = 0;
      inbound.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      inbound.on('end', () => {
        if (inbound.statusCode === 200 && bytes === answer.length) resolve(performance.now() - started);
        else reject(new Error(`wrong answer: ${inbound.statusCode}, ${bytes} bytes`));
      });
    });
    out.on('error', reject);
    out.end(body ?? undefined);
  });
}

/** Closed loop: `parallel` clients, each asking again as soon as it has its answer. */
async function drive(
  port: number,
  proxied: boolean,
  parallel: number,
  count: number,
  seed: number,
): Promise<{ ms: number[]; perSecond: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: parallel });
  const asks = take(mix(seed), count);
  const ms: number[] = [];
  const started = performance.now();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let each = asks.next(); each.done !== true; each = asks.next())
        ms.push(await ask(agent, port, proxied, each.value));
    }),
  );
  const perSecond = count / ((performance.now() - started) / 1000);
  agent.destroy();
  return { ms, perSecond };
}

async function run(): Promise<void> {
  const requests = Number(values.requests);
  const parallel = Number(values.parallel);
  printMachine();
  const upstream = await start('upstream');
  const arms = [
    { name: 'direct', proxied: false, ...upstream },
    { name: 'bare Node proxy', proxied: true, ...(await start('bare', upstream.port)) },
    { name: 'gateway, with memo', proxied: true, ...(await start('memo', upstream.port)) },
    { name: 'gateway, without memo', proxied: true, ...(await start('no-memo', upstream.port)) },
  ].map((arm) => ({ ...arm, one: [] as number[], many: [] as number[] }));
  for (const arm of arms) await drive(arm.port, arm.proxied, 4, Math.min(requests, warmUp.requests), warmUp.seed);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const arm of arms) {
      arm.one.push(...(await drive(arm.port, arm.proxied, 1, requests, seedOf(round, 'one'))).ms);
      arm.many.push((await drive(arm.port, arm.proxied, parallel, requests, seedOf(round, 'many'))).perSecond);
    }
  }
  console.log(
    `mix: the memo has seen ${Math.round(hitRate(Number(values.rounds), requests) * 100)} % of the requests\n`,
  );
  const floor = summarize(arms[0]?.one ?? []).median;
  for (const arm of arms) {
    const summary = summarize(arm.one);
    print(`${arm.name}, 1 client`, summary);
    console.log(
      `${' '.repeat(45)}median ${summary.median.toFixed(3)} ms, added ${(summary.median - floor).toFixed(3)} ms`,
    );
    print(`${arm.name}, ${parallel} clients`, summarize(arm.many), '/s');
  }
  for (const { child } of arms) {
    if (child.connected) child.disconnect();
    child.kill();
  }
}

switch (values.role) {
  case undefined:
    await run();
    break;
  case 'upstream':
    serveUpstream();
    break;
  case 'bare':
    serveBare(Number(values.upstream));
    break;
  case 'memo':
  case 'no-memo':
    await serveGateway(Number(values.upstream), values.role === 'memo');
    break;
  default:
    throw new Error(`no role ${values.role}`);
}
