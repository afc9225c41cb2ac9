import { fork } from 'node:child_process';
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { coveredRequest, type GatewayToSupervisor, type PermitOrder, systemClock } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { PermitKeys, type UsedPermits, verifyPermit } from '@cordon/sdk/effector';
import { UsedPermitsFile } from '@cordon/sdk/effector/file';
import { PermitDesk, type SigningAnswer } from '../../packages/gateway/src/control/permit-desk.ts';
import { limits } from '../../packages/gateway/src/limits.ts';
import { PermitSigner } from '../../packages/sandbox/src/supervisor/permit-signer.ts';

/**
 * What a signed permit costs: the signature, the way to the signer and back over the channel of two real processes, one
 * after the other and 16 at once, and the verification at an effector with and without its memory on disk.
 *
 *     node --conditions=cordon-source bench/permit/run.ts [--permits 2000] [--directory DIR] [--json]
 */
const { values } = parseArgs({
  options: {
    permits: { type: 'string', default: '2000' },
    directory: { type: 'string', default: process.cwd() },
    json: { type: 'boolean', default: false },
    gateway: { type: 'boolean', default: false },
  },
});
const permits = Number(values.permits);

const session = `ses_0${'a'.repeat(25)}`;
const destination = 'https://payments.example:443';
const body = Buffer.from('{"to":"acme","cents":1250}');
const payload = { sha256: hash('sha256', body), bytes: body.length };
const headers = [
  ['accept', '*/*'],
  ['content-type', 'application/json'],
] as const;
const parts = { method: 'POST', destination, target: '/payments', headers, payload, credentials: [] };
const order = (n: number): PermitOrder => ({
  aud: 'payments',
  session,
  attempt: `att_${String(n).padStart(26, '0')}`,
  intent: digestRecord('intent', [n]),
  decision: digestRecord('decision', [n]),
  recorded: { writer: 'gw', wseq: n, tier: 'os' },
  generation: 1,
  revision: 1,
  destination,
  payload,
  request: digestRecord('request', coveredRequest(parts)),
  credentials: [],
  obligations: ['bytes:65536'],
});

interface Row {
  readonly what: string;
  readonly count: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}
const rows: Row[] = [];

async function measure(what: string, count: number, run: (n: number) => unknown): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const before = performance.now();
    await run(n);
    took.push((performance.now() - before) * 1000);
  }
  rows.push(rowOf(what, took));
}

function rowOf(what: string, took: number[]): Row {
  took.sort((a, b) => a - b);
  const at = (part: number): number => Math.round(took[Math.floor(took.length * part)] ?? 0);
  return { what, count: took.length, p50Micros: at(0.5), p99Micros: at(0.99) };
}

/** The other process: a gateway that asks. */
async function gateway(): Promise<void> {
  const desk = new PermitDesk((message: GatewayToSupervisor) => void process.send?.(message), limits);
  process.on('message', (message: SigningAnswer) => desk.take(message));
  const never = new AbortController().signal;
  const ask = async (n: number, took: number[]): Promise<void> => {
    const before = performance.now();
    await desk.sign(order(n), never);
    took.push((performance.now() - before) * 1000);
  };
  for (let n = 0; n < 200; n++) await ask(n, []);
  const [alone, together]: [number[], number[]] = [[], []];
  for (let n = 0; n < permits; n++) await ask(n, alone);
  for (let n = 0; n < permits; n += 16) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => ask(n + i, together)));
  }
  process.send?.([rowOf('order, signature, answer: one at a time', alone), rowOf('the same, 16 at once', together)]);
  process.disconnect();
}

async function main(): Promise<void> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
  const kid = hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url');
  const signer = new PermitSigner({
    key: { kid, sign: (bytes) => sign('sha256', bytes, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }) },
    boot: `bot_0${'c'.repeat(25)}`,
    // The rate is not what is measured: its clock runs a thousand times as fast.
    clock: { now: systemClock.now, monotonic: () => systemClock.monotonic() * 1000 },
    sessionOf: () => ({ order: { tenant: 'local' }, report: { state: 'running' } }),
  });
  const tokenOf = (n: number): string => {
    const signing = signer.sign('local', order(n));
    if (!signing.ok) throw new Error(signing.code);
    return signing.token;
  };
  for (let n = 0; n < 200; n++) tokenOf(n);
  await measure('a permit written and signed', permits, tokenOf);

  const child = fork(import.meta.filename, ['--gateway', '--permits', values.permits], {
    execArgv: ['--conditions=cordon-source', '--disable-warning=ExperimentalWarning'],
  });
  await new Promise<void>((resolve, reject) => {
    child.on('message', (message: GatewayToSupervisor | Row[]) => {
      if (Array.isArray(message)) rows.push(...message);
      else if (message.type === 'sign') child.send({ type: 'signed', n: message.n, token: tokenOf(message.n) });
    });
    child.on('exit', (status) => (status === 0 ? resolve() : reject(new Error(`the gateway ended with ${status}`))));
  });

  const folder = mkdtempSync(join(values.directory, '.bench-permit-'));
  try {
    using used = UsedPermitsFile.open(join(folder, 'used.db'));
    const keys = await PermitKeys.import({ keys: [{ kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig' }] });
    const options = { keys, audience: 'payments', destination, clock: systemClock };
    const none: UsedPermits = {
      look: async () => ({ used: false, outlived: false, superseded: false }),
      take: async () => 'taken',
    };
    const tokens = Array.from({ length: permits }, (_, n) => tokenOf(n));
    const verify = async (n: number, store: UsedPermits): Promise<void> => {
      const all = [...headers, ['Cordon-Permit', tokens[n] ?? ''] as const];
      const request = { method: 'POST', target: '/payments', headers: all, body };
      const verified = await verifyPermit(request, { ...options, used: store });
      if (!verified.ok) throw new Error(verified.code);
    };
    for (let n = 0; n < 200; n++) await verify(n, none);
    await measure('verified, without a memory', permits, (n) => verify(n, none));
    await measure('verified and marked as used on disk', permits, (n) => verify(n, used));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (values.json) console.log(JSON.stringify({ cpu: cpus()[0]?.model, node: process.version, rows }));
  else console.table(rows);
}

await (values.gateway ? gateway() : main());
