import { execFileSync } from 'node:child_process';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { outputOf, Running } from './running.ts';

const probe = `
import { writeFileSync } from 'node:fs';
const ask = async (url, init) => {
  const answer = await fetch(url, init);
  const text = await answer.text();
  console.log(JSON.stringify({ url, status: answer.status, text }));
};
await ask('https://api.test.example/allowed/1');
await ask('https://api.test.example/other');
await ask('https://api.test.example/allowed/1', { method: 'POST', body: 'stolen' });
await ask('https://elsewhere.test.example/');
await ask('https://api.test.example/allowed/key', { headers: { 'x-api-key': 'cordon:secret:token' } });
writeFileSync('made.txt', 'made inside');
`;

const policy = {
  name: 'cordon.yaml',
  text:
    'grants:\n  - allow: api.test.example/allowed/**\n' +
    'secrets:\n  token: { to: ["https://api.test.example"], at: { header: x-api-key } }\n',
};

/** No process any more, or one whose parent has yet to look at it. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').then(
      (text) => text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3),
      () => 'X',
    );
    if (state === 'X' || state === 'Z') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the daemon', () => {
  const ca = new TestCa();
  let sink: HttpSink;
  let running: Running;

  beforeAll(async () => {
    const { cert, key } = ca.issue(['api.test.example', 'elsewhere.test.example']);
    sink = await HttpSink.start({ tls: { cert, key }, answer: () => ({ status: 200, body: 'from outside' }) });
    const ports = { 'api.test.example': sink.port, 'elsewhere.test.example': sink.port };
    running = new Running(destinationsOf(ports, ca));
    await running.up();
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    await sink[Symbol.asyncDispose]();
  });

  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => {
      process.stderr.write(running.log());
    });
  });

  test('keeps its state and its sockets to itself', async () => {
    for (const folder of [running.home, running.runtime]) {
      expect((await stat(folder)).mode & 0o077, folder).toBe(0);
      for (const name of await readdir(folder, { recursive: true })) {
        const found = await lstat(path.join(folder, name)).catch(() => null);
        expect((found?.mode ?? 0) & 0o077, name).toBe(0);
      }
    }
    const inside = running.create({ command: ['/bin/true'], workspace: running.home });
    await expect(inside).rejects.toMatchObject({ code: 'workspace-invalid' });
  });

  test('runs a program to its end', async () => {
    const session = await running.create({ command: ['/bin/true'] });
    expect(await outputOf(session)).toMatchObject({ status: 0, reason: 'exited' });
    const status = await running.cordon.status();
    expect(status.roles.map(({ role, state }) => `${role} ${state}`)).toEqual([
      'control running',
      'supervisor running',
      'gateway running',
    ]);
    expect(status.warnings.join()).toContain('TEST ONLY');
  });

  test('lets out what is granted, refuses the rest with a reason, and shows both', async () => {
    const { cordon } = running;
    await cordon.setSecret('token', 'the-real-value-1234');
    const before = sink.requests.length;
    const command = [process.execPath, running.script('probe.mjs', probe)];
    const session = await running.create({
      command,

      workspaceMode: 'proposal',
      policy,
    });
    const { stdout, stderr, status } = await outputOf(session);
    expect(status, stderr).toBe(0);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { status: number; text: string });
    expect(answers.map((answer) => answer.status)).toEqual([200, 403, 403, 403, 200]);
    expect(answers[0]?.text).toBe('from outside');
    expect(JSON.parse(answers[1]?.text ?? '')).toMatchObject({ code: 'no-grant' });

    // Judged from outside: exactly the two granted requests arrived, the second with the value in place of its name.
    const arrived = sink.requests.slice(before);
    expect(arrived.map((request) => `${request.method} ${request.target}`)).toEqual([
      'GET /allowed/1',
      'GET /allowed/key',
    ]);
    expect(JSON.stringify(arrived[1]?.headers)).toContain('the-real-value-1234');

    const seen: string[] = [];
    for await (const decision of cordon.decisions({ session: session.id })) {
      seen.push(`${decision.outcome} ${decision.summary}`);
      if (seen.length === 5) break;
    }
    expect([...seen].sort()).toEqual(
      [
        'allow GET https://api.test.example/allowed/1',
        'allow GET https://api.test.example/allowed/key',
        'deny GET https://api.test.example/other',
        'deny GET https://elsewhere.test.example/',
        'deny POST https://api.test.example/allowed/1',
      ].sort(),
    );
    expect((await session.changes()).map((change) => `${change.kind} ${change.path}`)).toEqual(['create made.txt']);
    const applied = await session.apply();
    expect(applied.applied).toEqual(['made.txt']);
  });

  test('explains a decision and proves it', async () => {
    const { cordon } = running;
    const page = await running.create({
      command: [process.execPath, '-e', "fetch('https://api.test.example/x')"],

      policy,
    });
    await outputOf(page);
    for await (const decision of cordon.decisions({ session: page.id })) {
      const explained = await cordon.explain(decision.attempt);
      expect(explained.layers.map(({ layer }) => layer)).toEqual(['ceiling', 'tenant', 'session']);
      expect(explained.layers.find(({ layer }) => layer === 'session')?.permits).toEqual([]);
      expect(explained.intent).toMatchObject({ resource: 'https://api.test.example:443', args: { path: '/x' } });
      const proof = await cordon.prove({ attempt: decision.attempt });
      expect(proof.entry['data']).toMatchObject({ attempt: decision.attempt, outcome: 'deny' });
      break;
    }
  });

  test('kills what runs, and it stays ended', async () => {
    const { cordon } = running;
    const session = await running.create({
      command: ['/bin/sleep', '600'],

      name: 'sleeper',
    });
    const stopped = await cordon.stop({ agent: 'sleeper' }, 'kill', 'enough');
    expect(stopped.sessions).toMatchObject([{ session: session.id, confirmed: true, processesLeft: 0 }]);
    expect(await session.get()).toMatchObject({ state: 'ended', exit: { reason: 'killed', status: 137 } });
    const again = running.create({ command: ['/bin/true'], name: 'sleeper' });
    await expect(again).rejects.toMatchObject({ code: 'session-stopped' });
    await cordon.lift({ agent: 'sleeper' }, 'over');
  });

  test('a second one on the same state refuses, and bad configuration is said', async () => {
    const second = await running.refused();
    expect([second.status, second.stdout]).toEqual([69, '']);
    expect(second.stderr).toContain('another cordond already serves');
    expect((await running.refused(['--role', 'king'])).status).toBe(78);
    expect((await running.refused([], { CORDON_HOME: 'relative/path' })).status).toBe(78);
    expect((await running.refused(['--testing-destinations', '/no/such/file'])).status).toBe(78);
    expect((await running.cordon.status()).roles).toHaveLength(3);
  });

  test('killed alone it leaves everything running, and a new one takes over', async () => {
    const { cordon } = running;
    const script = running.script(
      'late.mjs',
      "await new Promise((r) => process.stdin.once('data', r)); console.log((await fetch('https://api.test.example/allowed/late')).status); process.exit(4);",
    );
    const session = await running.create({
      command: [process.execPath, script],

      policy,
    });
    const pids = async () => (await cordon.status()).roles.slice(1).map(({ role, pid }) => `${role} ${pid}`);
    const before = await pids();
    await running.killControl();
    await running.up();
    expect(await pids()).toEqual(before);
    expect((await session.get()).state).toBe('running');
    const attachment = await session.attach();
    await attachment.write(Buffer.from('go\n'));
    attachment.detach();
    expect(await outputOf(session)).toMatchObject({ stdout: '200\n', status: 4 });
  });

  test('its end ends everything, and the ledger verifies without it', async () => {
    const { cordon } = running;
    const session = await running.create({ command: ['/bin/sleep', '600'] });
    await cordon.stop({ all: true }, 'freeze', 'for the night');
    expect((await session.get()).state).toBe('frozen');
    const pids = (await cordon.status()).roles.map(({ pid }) => pid);
    expect(await running.down()).toBe(0);
    await Promise.all(pids.map(gone));

    const verify = path.resolve(import.meta.dirname, '../../verify/src/main.ts');
    const arguments_ = [
      '--conditions=cordon-source',
      '--disable-warning=ExperimentalWarning',
      verify,
      '--home',
      running.home,
    ];
    expect(execFileSync(process.execPath, arguments_, { encoding: 'utf8' })).toMatch(/entries/);

    await running.up();
    expect(await session.get()).toMatchObject({ state: 'ended' });
    const refused = running.create({ command: ['/bin/true'] });
    await expect(refused).rejects.toMatchObject({ code: 'session-stopped' });
    await cordon.lift({ all: true }, 'morning');
    expect(await outputOf(await running.create({ command: ['/bin/true'] }))).toMatchObject({ status: 0 });
  });
});
