import { Agent, request as sendRequest } from 'node:http';
import { parseArgs } from 'node:util';
import { print, printMachine, summarize } from '../support/measure.ts';
import { cpuMicros, endArms, type RunningArm, residentMiB, startArm } from './arms.ts';
import { type Ask, mix, take } from './mix.ts';
import { answer, domain, type Ready } from './ready.ts';
import { open } from './through.ts';

/**
 * A proxy that ends the client's TLS and speaks TLS to the server: what it costs, in one run with its peers.
 *
 *     node --conditions=cordon-source bench/gateway/interception.ts [--requests 1000] [--connections 200] [--rounds 5] [--arms NAME,…]
 *
 * Arms, each a process of its own: direct · a bare Node interceptor · mockttp · squid with ssl-bump (`apt-get install
 * -y squid-openssl`; left out, with a word, when it is not there) · the gateway, with the decision memo and without. Only the gateway decides and records. Arms take turns
 * in every round; an arm whose answer is wrong stops the run.
 */
const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    parallel: { type: 'string', default: '32' },
    arms: { type: 'string', default: 'direct,bare,mockttp,squid,gateway,gateway-no-memo' },
  },
});

interface Arm extends RunningArm {
  readonly one: number[];
  /** Latency while all clients ask at once: what the requests a second were had at. */
  readonly busy: number[];
  readonly many: number[];
  /** Of the arm's own processes, µs a request. */
  readonly cpu: number[];
  readonly known: number[];
  readonly fresh: number[];
}

/** Keeps its connections, each of them one tunnel. */
function tunnels(arm: Ready, host: string, connections: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  agent.createConnection = (_options, done) => {
    open(arm, host).then(
      (socket) => done?.(null, socket),
      (error: unknown) => done?.(error as Error, undefined as never),
    );
    return undefined as never;
  };
  return agent;
}

function ask(agent: Agent, host: string, port: number, { method, path: target, body }: Ask): Promise<void> {
  const headers = {
    host: `${host}:${port}`,
    ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
  };
  return new Promise((resolve, reject) => {
    const out = sendRequest({ agent, host, port, method, path: target, headers }, (inbound) => {
      const parts: Buffer[] = [];
      inbound.on('data', (part: Buffer) => parts.push(part));
      inbound.on('error', reject);
      inbound.on('end', () => {
        const text = Buffer.concat(parts).toString();
        if (inbound.statusCode === 200 && text === answer) resolve();
        else reject(new Error(`wrong answer: ${inbound.statusCode} ${text.slice(0, 500)}`));
      });
    });
    out.on('error', reject);
    out.end(body ?? undefined);
  });
}

/** Closed loop over kept connections: each client asks again as soon as it has its answer. */
async function driveKept(arm: Arm, parallel: number, count: number, seed: number): Promise<number[]> {
  const host = `api.${domain}`;
  const agent = tunnels(arm, host, parallel);
  // Connections are made first: this measures what is kept alive.
  await Promise.all(
    Array.from({ length: parallel }, () => ask(agent, host, arm.upstream, { method: 'GET', path: '/', body: null })),
  );
  const asks = take(mix(seed), count);
  const ms: number[] = [];
  const before = cpuMicros(arm.child.pid ?? 0);
  const started = performance.now();
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let each = asks.next(); each.done !== true; each = asks.next()) {
        const from = performance.now();
        await ask(agent, host, arm.upstream, each.value);
        ms.push(performance.now() - from);
      }
    }),
  );
  if (parallel > 1) {
    arm.many.push(count / ((performance.now() - started) / 1000));
    arm.cpu.push((cpuMicros(arm.child.pid ?? 0) - before) / count);
  }
  agent.destroy();
  return ms;
}

/** CONNECT, both handshakes and one request, one after the other. */
async function driveNew(arm: Arm, count: number, hostOf: (i: number) => string): Promise<number[]> {
  const ms: number[] = [];
  for (let i = 0; i < count; i++) {
    const host = hostOf(i);
    const from = performance.now();
    const agent = tunnels(arm, host, 1);
    await ask(agent, host, arm.upstream, { method: 'GET', path: `/repos/acme/app/issues/${i % 40}`, body: null });
    ms.push(performance.now() - from);
    agent.destroy();
  }
  return ms;
}

const requests = Number(values.requests);
const connections = Number(values.connections);
const parallel = Number(values.parallel);
printMachine();
const upstream = await startArm('upstream', null);
if (upstream === null) throw new Error('no upstream');
const arms: Arm[] = [];
for (const name of values.arms.split(',')) {
  const arm = await startArm(name, upstream);
  if (arm !== null) arms.push({ ...arm, one: [], busy: [], many: [], cpu: [], known: [], fresh: [] });
}
let names = 0;
for (const arm of arms) {
  await driveKept(arm, 4, requests, 999_983);
  arm.many.length = 0;
  arm.cpu.length = 0;
  await driveNew(arm, 20, () => `api.${domain}`);
}
for (let round = 0; round < Number(values.rounds); round++) {
  for (const arm of arms) {
    arm.one.push(...(await driveKept(arm, 1, requests, 2 * round + 1)));
    arm.busy.push(...(await driveKept(arm, parallel, requests, 2 * round + 2)));
    arm.known.push(...(await driveNew(arm, connections, () => `api.${domain}`)));
    // Slower than a session may ask for new names (20 a second), in every arm alike.
    for (let i = 0; i < Math.min(connections, 15); i++) {
      names += 1;
      const host = `n${names}.${domain}`;
      arm.fresh.push(...(await driveNew(arm, 1, () => host)));
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }
}
const floor = arms.find((arm) => arm.name === 'direct');
for (const arm of arms) {
  console.log(`${arm.name} (${residentMiB(arm.child.pid ?? 0).toFixed(0)} MiB resident)`);
  for (const [what, key] of [
    ['kept connection, 1 client', 'one'],
    [`kept connections, ${parallel} clients`, 'busy'],
    ['new connection, known name', 'known'],
    ['new connection, new name', 'fresh'],
  ] as const) {
    const summary = summarize(arm[key]);
    print(`  ${what}`, summary);
    if (floor === undefined || floor === arm) continue;
    const base = summarize(floor[key]).median;
    console.log(
      `${' '.repeat(45)}median ${summary.median.toFixed(3)} ms, added ${(summary.median - base).toFixed(3)} ms`,
    );
  }
  print(`  kept connections, ${parallel} clients`, summarize(arm.many), '/s');
  if (arm.name !== 'direct') print('    processor time a request', summarize(arm.cpu), 'µs');
}
endArms([...arms, upstream]);
