import { createHmac, generateKeyPairSync } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { type Caught, changed, Door, Effector, jws, linesOf, thumbprint, tokenOf } from '../support/effector.ts';
import { until } from '../support/until.ts';

const url = 'https://payments.example/payments';
const policy = readFileSync(path.resolve(import.meta.dirname, '../../examples/effector/cordon.yaml'), 'utf8');
/** Asked again where the machine was too busy to decide (`slow-decision`): nothing was sent then. */
const curl = (words: string): string =>
  `for n in 1 2 3 4 5 6; do
    answer=$(curl -s -m 30 -w ' %{http_code}\\n' -H 'Content-Type: application/json' ${words} ${url})
    case "$answer" in *slow-decision*) sleep 1;; *) break;; esac
  done; echo "$answer"`;
const payment = (purpose: string, words = ''): string =>
  curl(`${words} -d '{"to":"acme","cents":1250,"purpose":"${purpose}"}'`);

/** The whole of it: the example as a process, a TLS terminator before it, and Cordon with sessions. */
let deployment: Deployment;
let effector: Effector;
let door: Door;
let keys: string;
let state: string;
let file: string;
let pem: string;

beforeAll(async () => {
  const ca = new TestCa();
  // The effector's keys come from Cordon, and Cordon must know where the effector is: the door is first.
  const none = { port: 0 } as Effector;
  door = await Door.start(ca.issue(['payments.example']), none);
  deployment = await Deployment.start({ destinations: destinationsOf({ 'payments.example': door.port }, ca) });
  const exported = await deployment.cordon(['keys', 'export']);
  expect(exported.status, exported.stderr).toBe(0);
  keys = path.join(deployment.folder, 'keys.json');
  writeFileSync(keys, exported.stdout);
  state = path.join(deployment.folder, 'effector');
  effector = await Effector.start({ keys, state });
  door.effector = effector;
  file = path.join(deployment.folder, 'effector.yaml');
  writeFileSync(file, policy, { mode: 0o644 });
  pem = readFileSync(path.join(deployment.home, 'keys/permit.pem'), 'utf8');
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await effector[Symbol.asyncDispose]();
  await deployment[Symbol.asyncDispose]();
});

const payments = (): unknown[] => linesOf(path.join(state, 'payments.jsonl'));

/** A request of a real session, with its permit, that never arrived. */
async function steal(purpose: string, command = payment(purpose)): Promise<Caught> {
  door.open = false;
  try {
    const run = await deployment.sh(command, ['--policy', file]);
    expect(run.stdout, run.stderr).toContain('stolen');
  } finally {
    door.open = true;
  }
  const caught = door.caught.at(-1);
  if (caught === undefined) throw new Error('nothing was caught');
  return caught;
}

const refusal = async (request: Caught, at = effector): Promise<string> => {
  const { status, body } = await at.ask(request);
  return status === 403 ? (body.error ?? '') : `${status}`;
};

describe('an effector', () => {
  it('does what a session was allowed, and its ledger names the decision', async () => {
    const run = await deployment.sh(`${payment('an invoice')}\n${curl('')}`, ['--policy', file]);
    expect(run.stdout, run.stderr).toContain(' 201\n');
    expect(run.stdout).toContain(' 200\n');
    const paid = payments().at(-1) as Record<string, unknown>;
    expect(paid).toMatchObject({ to: 'acme', cents: 1250, purpose: 'an invoice' });
    const decisions = await deployment.decisions();
    const decision = decisions.find(({ attempt }) => attempt === paid['attempt']);
    expect(decision).toMatchObject({ outcome: 'allow', session: paid['session'] });
    // Spent: whoever has seen it has nothing.
    expect(await refusal(door.caught.at(-2) as Caught)).toBe('permit-used');
  });

  it('does nothing without one, also where the same grant names no effector', async () => {
    const before = payments().length;
    const caught = await steal('without');
    expect(await refusal(changed(caught, { headers: { 'Cordon-Permit': null } }))).toBe('permit-missing');
    const plain = path.join(deployment.folder, 'plain.yaml');
    writeFileSync(plain, policy.replace(/^ *permit:.*$/m, ''), { mode: 0o644 });
    const run = await deployment.sh(payment('no permit'), ['--policy', plain]);
    expect(run.stdout).toContain('permit-missing');
    expect(payments().length).toBe(before);
  });

  it('takes no token but the one that was signed', async () => {
    const caught = await steal('a token');
    const token = tokenOf(caught);
    const { header, claims } = jws.read(token);
    const [head = '', body = '', signature = ''] = token.split('.');
    const set = JSON.parse(readFileSync(keys, 'utf8')) as { keys: Array<{ x: string; y: string }> };
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const otherPem = other.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const otherKey = other.publicKey.export({ format: 'jwk' }) as { x: string; y: string };
    const secret = JSON.stringify(set.keys[0]);
    const hs256 = `${jws.encode({ ...header, alg: 'HS256' })}.${body}`;
    const tokens: ReadonlyArray<readonly [string, string]> = [
      ['', 'permit-malformed'],
      [`${head}.${body}.`, 'permit-malformed'],
      [token.slice(0, -1), 'permit-malformed'],
      [token.slice(1), 'permit-malformed'],
      [`${token}=`, 'permit-malformed'],
      [`${head}.${body}.${signature}.`, 'permit-malformed'],
      [`${head}.${body}.${'A'.repeat(86)}`, 'permit-signature'],
      [`${head}.${jws.encode({ ...claims, aud: 'other' })}.${signature}`, 'permit-signature'],
      [jws.sign(otherPem, header, claims), 'permit-signature'],
      [jws.sign(otherPem, { ...header, kid: thumbprint(otherKey) }, claims), 'permit-key-unknown'],
      [`${jws.encode({ ...header, alg: 'none' })}.${body}.${'A'.repeat(86)}`, 'permit-header'],
      [`${hs256}.${createHmac('sha512', secret).update(hs256).digest('base64url')}`, 'permit-header'],
      [jws.sign(otherPem, { ...header, jwk: otherKey }, claims), 'permit-header'],
      [jws.sign(otherPem, { ...header, jku: 'https://evil.example/keys' }, claims), 'permit-header'],
      [jws.sign(pem, { ...header, x5c: ['AAAA'] }, claims), 'permit-header'],
      [jws.sign(pem, { ...header, crit: ['exp'], exp: 1 }, claims), 'permit-header'],
      [jws.sign(pem, { ...header, typ: 'JWT' }, claims), 'permit-header'],
      [jws.sign(pem, header, { ...claims, more: 1 }), 'permit-malformed'],
      [jws.sign(pem, header, { ...claims, epoch: -1 }), 'permit-malformed'],
      [jws.sign(pem, header, `{"v":"permit/1",${JSON.stringify(claims).slice(1)}`), 'permit-malformed'],
      [`${token}${'A'.repeat(4096)}`, 'permit-too-large'],
    ];
    for (const [one, code] of tokens) {
      expect(await refusal(changed(caught, { headers: { 'Cordon-Permit': one } })), one.slice(0, 200)).toBe(code);
    }
    const doubled = { ...caught, rawHeaders: [...caught.rawHeaders, 'cordon-permit', token] };
    expect(await refusal(doubled)).toBe('permit-doubled');
    expect((await effector.ask(caught)).status).toBe(201);
  });

  it('takes it for itself, now, and for the session as it is', async () => {
    const caught = await steal('for whom');
    const { header, claims } = jws.read(tokenOf(caught));
    const with_ = (change: object): Caught =>
      changed(caught, { headers: { 'Cordon-Permit': jws.sign(pem, header, { ...claims, ...change }) } });
    const at = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();
    for (const [change, code] of [
      [{ aud: 'refunds' }, 'permit-audience'],
      [{ until: at(-1) }, 'permit-expired'],
      [{ until: at(3600) }, 'permit-expired'],
      [{ issued: at(3600), until: at(3610) }, 'permit-early'],
      [{ obligations: ['durable:disk'] }, 'permit-not-durable'],
      [{ obligations: ['redact:secrets'] }, 'permit-obligation'],
      [{ obligations: ['bytes:3'] }, 'permit-obligation'],
      [{ destination: 'https://payments.example:8443' }, 'permit-destination'],
      [{ destination: 'http://payments.example:443' }, 'permit-destination'],
    ] as const) {
      expect(await refusal(with_(change)), JSON.stringify(change)).toBe(code);
    }
    // Effectors that trust the same key, of another name and at another place.
    for (const [other, code] of [
      [{ audience: 'refunds' }, 'permit-audience'],
      [{ origin: 'https://refunds.example:443' }, 'permit-destination'],
    ] as const) {
      await using neighbour = await Effector.start({ keys, state: `${state}-${code}`, ...other });
      expect(await refusal(caught, neighbour)).toBe(code);
    }
    expect((await effector.ask(caught)).status).toBe(201);
  });

  it('takes it for the very request', async () => {
    const caught = await steal('the very request');
    const { body, target } = caught;
    for (const [name, change, code] of [
      ['amount', { body: Buffer.from(body.toString().replace('1250', '9250')) }, 'permit-payload'],
      ['longer', { body: Buffer.concat([body, Buffer.from(' ')]) }, 'permit-payload'],
      ['empty', { body: Buffer.alloc(0) }, 'permit-payload'],
      ['method', { method: 'PUT' }, 'permit-request'],
      ['path', { target: '/refunds' }, 'permit-request'],
      ['query', { target: `${target}?to=eve` }, 'permit-request'],
      ['escape', { target: '/%70ayments' }, 'permit-request'],
      ['header changed', { headers: { 'Content-Type': 'text/plain' } }, 'permit-request'],
      ['header gone', { headers: { 'Content-Type': null } }, 'permit-request'],
      ['header added', { headers: { 'X-On-Behalf-Of': 'root' } }, 'permit-request'],
      ['proxy header', { headers: { 'X-Forwarded-For': '10.0.0.1' } }, 'permit-request'],
    ] as const) {
      expect(await refusal(changed(caught, change)), name).toBe(code);
    }
    // What belongs to the hop is nobody's request.
    expect((await effector.ask(changed(caught, { headers: { Host: 'inside:8080', TE: 'trailers' } }))).status).toBe(
      201,
    );
  });

  it('takes it once: of many at the same time, and after a restart', async () => {
    const before = payments().length;
    const caught = await steal('once');
    const answers = await Promise.all(Array.from({ length: 16 }, () => effector.ask(caught)));
    expect(answers.map(({ status, body }) => body.error ?? status).sort()).toEqual([
      201,
      ...Array(15).fill('permit-used'),
    ]);
    await effector[Symbol.asyncDispose]();
    effector = await Effector.start({ keys, state });
    door.effector = effector;
    expect(await refusal(caught)).toBe('permit-used');
    // Two processes of one effector share what was used.
    const shared = await steal('shared');
    await using second = await Effector.start({ keys, state });
    const both = await Promise.all([effector.ask(shared), second.ask(shared)]);
    expect(both.map(({ status, body }) => body.error ?? status).sort()).toEqual([201, 'permit-used']);
    expect(payments().length).toBe(before + 2);
  });

  it('takes none of a session that was stopped since, and none of a signer that was started anew', async () => {
    const ask = (purpose: string): string => `${payment(purpose)}; echo done ${purpose}`;
    door.open = false;
    const script = `${ask('before')}; while [ ! -e go ]; do sleep 0.1; done; ${ask('after')}`;
    const child = deployment.background([
      'run',
      '--quiet',
      '--workspace-mode',
      'direct',
      '--policy',
      file,
      '--',
      '/bin/sh',
      '-c',
      script,
    ]);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    await until(() => output.includes('done before'), 'the first request', 30_000);
    const stolen = door.caught.at(-1) as Caught;
    door.open = true;
    expect(jws.read(tokenOf(stolen)).claims['epoch']).toBe(0);
    expect((await deployment.cordon(['freeze', '--all'])).status).toBe(0);
    expect((await deployment.cordon(['unfreeze', '--all'])).status).toBe(0);
    writeFileSync(path.join(deployment.workspace, 'go'), '');
    await until(() => output.includes('done after'), 'the request after the lift', 30_000);
    await child.closed;
    expect(output).toContain(' 201');
    const later = door.caught.at(-1) as Caught;
    expect(jws.read(tokenOf(later)).claims['epoch']).toBe(2);
    expect(await refusal(stolen)).toBe('permit-epoch');
    // A start of the signer that is not the newest: its sessions are over.
    const old = await steal('of an older start');
    const fresh = await steal('of this start');
    const { header, claims } = jws.read(tokenOf(old));
    const aged = jws.sign(pem, header, { ...claims, boot: `bot_0${'0'.repeat(25)}` });
    expect((await effector.ask(fresh)).status).toBe(201);
    expect(await refusal(changed(old, { headers: { 'Cordon-Permit': aged } }))).toBe('permit-boot');
    expect((await effector.ask(old)).status).toBe(201);
  });
});

describe('an effector that can ask', () => {
  it('takes nothing of a session that is frozen or killed, though it was sent before', async () => {
    await using asking = await Effector.start({
      keys,
      state: `${state}-asking`,
      cordon: path.join(deployment.runtime, 'api.sock'),
    });
    door.open = false;
    const names = ['while it runs', 'while it is frozen', 'after the kill'];
    const script = `${names.map((name) => `${payment(name)}; echo done ${name}`).join('; ')}; sleep 300`;
    const child = deployment.background(['run', '--quiet', '--policy', file, '--', '/bin/sh', '-c', script]);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const before = door.caught.length;
    await until(() => output.includes('done after the kill'), 'the requests', 30_000);
    door.open = true;
    const [running, frozen, killed] = door.caught.slice(before) as [Caught, Caught, Caught];
    const session = String(jws.read(tokenOf(running)).claims['session']);
    expect((await asking.ask(running)).status).toBe(201);
    expect((await deployment.cordon(['freeze', session])).status).toBe(0);
    expect(await refusal(frozen, asking)).toBe('permit-session');
    expect((await deployment.cordon(['kill', session])).status).toBe(0);
    expect(await child.closed).toBe(137);
    expect(await refusal(killed, asking)).toBe('permit-session');
    expect(linesOf(path.join(`${state}-asking`, 'payments.jsonl'))).toHaveLength(1);
  });
});

describe('the keys', () => {
  it('are shown and exported by their public halves alone', async () => {
    const shown = await deployment.cordon(['keys', 'show', '--json']);
    const set = JSON.parse(readFileSync(keys, 'utf8')) as { keys: Array<{ x: string; y: string; kid: string }> };
    expect(set.keys).toEqual([JSON.parse(shown.stdout)]);
    expect(set.keys[0]).toMatchObject({ alg: 'ES256', kty: 'EC', crv: 'P-256', use: 'sig' });
    expect(thumbprint(set.keys[0] ?? { x: '', y: '' })).toBe(set.keys[0]?.kid);
    expect(shown.stdout + readFileSync(keys, 'utf8')).not.toContain('"d"');
    expect(statSync(path.join(deployment.home, 'keys/permit.pem')).mode & 0o777).toBe(0o600);
  });
});

describe('an agent', () => {
  it('cannot bring a permit along', async () => {
    const caught = door.caught.length;
    for (const name of ['Cordon-Permit', 'cordon-permit', 'CORDON_PERMIT']) {
      const run = await deployment.sh(payment('brought', `-H '${name}: x'`), ['--policy', file]);
      expect(run.stdout, name).toContain('header-reserved');
    }
    const run = await deployment.sh(payment('named away', `-H 'Cordon-Permit: x' -H 'Connection: Cordon-Permit'`), [
      '--policy',
      file,
    ]);
    expect(run.stdout).toContain('header-reserved');
    expect(door.caught.length).toBe(caught);
  });
});
