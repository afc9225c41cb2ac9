import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { OpenBreakers } from '@cordon/protocol';
import type { BreakerList } from '@cordon/protocol/api';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const root = path.resolve(import.meta.dirname, '../..');
const cordonProgram = `${process.execPath} ${path.join(root, 'apps/cordon/dist/cordon.mjs')}`;
/** Of util-linux; gives a program a terminal of its own. */
const terminalProgram = 'script';
const host = 'api.example.com';
const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 30_000);

describe('what was denied', () => {
  let deployment: Deployment;
  let server: HttpSink;
  let session = '';
  const ca = new TestCa();
  const tries = [
    `curl -s -o /dev/null https://${host}/v1/read`,
    `curl -s -o /dev/null https://${host}/v1/read`,
    `curl -s -o /dev/null -X POST -d hello https://${host}/v1/write`,
    `curl -s -o /dev/null https://${host}/files/*`,
    'curl -s -o /dev/null http://169.254.169.254/latest/meta-data/',
    `curl -s -o /dev/null -H 'X-HTTP-Method-Override: DELETE' https://${host}/v1/read`,
  ].join('\n');
  beforeAll(async () => {
    server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 200, body: 'fine' }) });
    deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
    await deployment.sh(tries);
    session = (await deployment.cordon(['ps', '--all', '--json'])).stdout.split('"')[3] ?? '';
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('is explained by logs --denied: what, why, how often, and what to do', async () => {
    const { stdout, status } = await deployment.cordon(['logs', session, '--denied']);
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(new RegExp(`GET https://${host}/v1/read  ×2, `));
    expect(stdout).toContain("no-grant: the session's own grants do not permit it (nothing forbids it)");
    expect(stdout).toContain(`→ cordon run --allow ${host}/v1/write:POST`);
    expect(stdout).toMatch(/refused before a decision {2}.*\n {4}override-header: /);
    expect(stdout).toContain(`→ cordon policy suggest ${session}`);
    expect(stdout).toContain('6 attempts, 5 different');
    const lines = (await deployment.cordon(['logs', session, '--denied', '--json'])).stdout.trim().split('\n');
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records.filter((record) => record['event'] === 'refusal')).toMatchObject([
      { code: 'override-header', session },
    ]);
    expect(records.filter((record) => record['outcome'] === 'deny')).toHaveLength(5);
  });

  it('is followed live by logs --denied -f, repeats counted', async () => {
    const logs = deployment.background(['logs', session, '--denied', '-f']);
    let out = '';
    logs.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await wait(
      () => out.includes('/files/') && out.includes('override-header') && out.includes('again ×1'),
      'the past',
    );
    logs.kill('SIGINT');
    expect(await logs.closed).toBe(0);
    expect(out).toContain('again ×1 (2 in all)');
    expect(out).toContain('6 attempts, 5 different');
  });

  it('again and again, is closed for more than reads, until a person resets it', async () => {
    const script = `for i in 1 2 3 4 5; do curl -s -o /dev/null -X DELETE https://${host}/; done; echo tried; read line
curl -s -o /dev/null -X DELETE https://${host}/ -w '%{http_code} '; curl -s https://${host}/; echo; read line`;
    const agent = deployment.background(['run', '--allow', host, '--', 'bash', '-c', script]);
    let out = '';
    agent.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await wait(() => out.includes('tried'), 'five denials');
    const { sessions } = JSON.parse((await deployment.cordon(['breaker', 'list', '--json'])).stdout) as OpenBreakers;
    expect(sessions).toMatchObject([{ action: 'http.request', level: 1, resource: `https://${host}:443` }]);
    agent.stdin?.write('\n');
    await wait(() => out.includes('403 fine'), 'the write is refused, the read is not');
    const closed = sessions[0]?.session ?? '';
    const reset = await deployment.cordon(['breaker', 'reset', closed]);
    expect(reset.stdout, reset.stderr).toBe('1 opened again\n');
    expect((await deployment.cordon(['breaker', 'list'])).stdout).toBe('nothing is closed\n');
    agent.stdin?.end('\n');
    expect(await agent.closed).toBe(0);
  });

  it('in five sessions of two agents is told, and freezes these where the policy says so, until a person thaws them', async () => {
    await using receiver = await HttpSink.start({ answer: () => ({ status: 200, body: '' }) });
    const webhook = `http://127.0.0.1:${receiver.port}/hook`;
    const tenant = `approvals: { webhook: "${webhook}" }\nbreakers: { fleet: freeze }\n`;
    const shown = async () => (await deployment.cordon(['policy', 'show'])).stdout;
    const before = await shown();
    writeFileSync(path.join(deployment.home, 'policy/fleet.yaml'), tenant);
    await wait(async () => (await shown()) !== before, 'the policy');
    const ask = (to: string) => `curl -s -o /dev/null https://${to}/; echo asked; while read line; do echo $line; done`;
    const start = (agent: string, to = 'fleet.example.com') => {
      const run = deployment.background(['run', '--quiet', '--name', agent, '--', 'bash', '-c', ask(to)]);
      const seen = { out: '' };
      run.stdout?.on('data', (chunk: Buffer) => {
        seen.out += chunk.toString();
      });
      return { run, seen };
    };
    const fleet = async () =>
      (JSON.parse((await deployment.cordon(['breaker', 'list', '--json'])).stdout) as BreakerList).fleet;
    const runs = [...[1, 2, 3, 4].map(() => start('fixer')), start('honest', 'other.example.com')];
    await wait(() => runs.every(({ seen }) => seen.out.includes('asked')), 'four denials, and one of somebody else');
    expect(await fleet()).toEqual([]);
    runs.push(start('nightly'));
    await wait(async () => (await fleet()).length > 0, 'the alarm');
    const [alarm] = await fleet();
    expect(alarm).toMatchObject({ agents: ['fixer', 'nightly'], resource: 'https://fleet.example.com:443' });
    expect([alarm?.sessions.length, alarm?.frozen.length]).toEqual([5, 5]);
    const states = async () =>
      (await deployment.cordon(['ps', '--json'])).stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string; agent: string; state: string });
    for (const { id, agent, state } of await states()) {
      expect([agent, state]).toEqual([agent, alarm?.sessions.includes(id) === true ? 'frozen' : 'running']);
    }
    expect((await deployment.cordon(['status'])).stdout).toContain('denied in 5 sessions of 2 agents');
    await wait(() => receiver.requests.some(({ body }) => body.toString().includes('fleet-event/1')), 'the webhook');
    for (const session of alarm?.sessions ?? []) {
      expect((await deployment.cordon(['unfreeze', session])).status).toBe(0);
    }
    for (const { run } of runs) run.stdin?.end('thawed\n');
    for (const { run } of runs) expect(await run.closed).toBe(0);
    expect(runs.map(({ seen }) => seen.out)).toEqual(runs.map(() => 'asked\nthawed\n'));
    const verified = await deployment.cordon(['ledger', 'verify']);
    expect(verified.status, verified.stdout).toBe(0);
  });

  it('is also what no budget pays for: to the last request, and shown', async () => {
    const policy = path.join(deployment.folder, 'budget.yaml');
    writeFileSync(policy, `grants: [{ allow: ${host} }]\nbudget: { requests: 3 }\n`, { mode: 0o644 });
    const script = `for i in 1 2 3 4; do curl -s -o /dev/null -w '%{http_code} ' https://${host}/; done; read line`;
    const agent = deployment.background(['run', '--policy', policy, '--', 'bash', '-c', script]);
    let out = '';
    agent.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    await wait(() => out.includes('403'), 'the fourth request');
    expect(out).toBe('200 200 200 403 ');
    const lines = (await deployment.cordon(['budgets', '--json'])).stdout.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { account: expect.stringMatching(/^session\/ses_.*\/own$/), unit: 'requests', max: 3, taken: 3, per: 'ever' },
    ]);
    expect((await deployment.cordon(['budgets'])).stdout).toMatch(/requests +ever +3 +3 +0 +100 %/);
    agent.stdin?.end('\n');
    expect(await agent.closed).toBe(0);
    const ended = async (): Promise<boolean> => (await deployment.cordon(['budgets'])).stdout.startsWith('no session');
    await wait(ended, 'the session is over');
  });

  it('becomes, by policy suggest, the text with which a session is allowed exactly that', async () => {
    const suggested = await deployment.cordon(['policy', 'suggest', session.slice(-8)]);
    expect(suggested.status, suggested.stderr).toBe(0);
    expect(suggested.stdout).toContain(
      'With these grants 4 of the 5 would be allowed, and nothing else that was denied.',
    );
    expect(suggested.stdout).toContain('- allow: "api.example.com/files/\\\\*"');
    expect(suggested.stdout).toContain('never: ');
    const file = path.join(deployment.folder, 'suggested.yaml');
    writeFileSync(file, suggested.stdout, { mode: 0o644 });
    const checked = await deployment.cordon(['policy', 'check', file]);
    expect(checked.status, checked.stdout).toBe(0);
    const before = server.requests.length;
    const again = `${tries}\n${[
      `curl -s -o /dev/null https://${host}/v1/other`,
      `curl -s -o /dev/null -X POST -d hello https://${host}/v1/read`,
      `curl -s -o /dev/null https://${host}/files/other`,
    ].join('\n')}`;
    await deployment.sh(again, ['--policy', file]);
    const seen = server.requests.slice(before).map(({ method, target }) => `${method} ${target}`);
    expect(seen).toEqual(['GET /v1/read', 'GET /v1/read', 'POST /v1/write', 'GET /files/*']);
    const words = await deployment.cordon(['policy', 'suggest', session, '--format', 'allow']);
    expect(words.stdout).toContain(`--allow ${host}/v1/write:POST\n`);
    expect(words.stdout).toContain(`--allow '${host}/files/\\*:GET'\n`);
    expect(words.stderr).toContain('sets no limit on a body');
    const json = JSON.parse((await deployment.cordon(['policy', 'suggest', session, '--json'])).stdout) as {
      verified: unknown;
    };
    expect(json.verified).toEqual({ allowed: 4, others: 0 });
  });

  it('policy suggest says what is wrong with a call', async () => {
    const nobody = await deployment.cordon(['policy', 'suggest']);
    expect(nobody.status).toBe(64);
    expect(nobody.stderr).toContain('cordon policy suggest SESSION');
    const stranger = await deployment.cordon(['policy', 'suggest', 'zzzzzzzz']);
    expect(stranger.status).toBe(64);
    const format = await deployment.cordon(['policy', 'suggest', session, '--format', 'xml']);
    expect(format.stderr).toContain('one of yaml, allow, json');
    const help = await deployment.cordon(['policy', 'suggest', '--help']);
    expect(help.stdout).toContain('cordon policy suggest 7k2m > cordon.yaml');
    const offered = await deployment.cordon(['complete', '--', 'policy', 'suggest', session, '--format', '']);
    expect(offered.stdout).toBe('allow\njson\nyaml\n');
  });
});

describe('cordon top', () => {
  let deployment: Deployment;
  beforeAll(async () => {
    deployment = await Deployment.start();
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
  });

  it('shows a session that works: its processes, CPU, denials; as a table, as JSON, and live on a terminal', async () => {
    expect((await deployment.cordon(['top', '--once', '-n', '0.1'])).stdout).toContain('0 sessions');
    const script = 'curl -s -o /dev/null https://refused.example/; while :; do sleep 0.05; done';
    const agent = deployment.background(['run', '--quiet', '--name', 'busy', '--', '/bin/sh', '-c', script]);
    let look = { sessions: [] as Array<Record<string, unknown>> };
    await wait(async () => {
      const { stdout, stderr } = await deployment.cordon(['top', '--json', '--once', '-n', '0.2']);
      expect(stdout, stderr).not.toBe('');
      look = JSON.parse(stdout) as typeof look;
      return look.sessions[0]?.['lastDenial'] != null;
    }, 'the first denial to show');
    const id = String(look.sessions[0]?.['session']);
    expect(look.sessions).toMatchObject([
      {
        ...{ agent: 'busy', state: 'running', decisions: { allow: 0, deny: 1 } },
        lastDenial: { code: 'no-grant', summary: 'GET https://refused.example/' },
        inFlight: 0,
      },
    ]);
    expect(Number(look.sessions[0]?.['processes'])).toBeGreaterThan(1);
    expect(Number(look.sessions[0]?.['memoryBytes'])).toBeGreaterThan(0);
    const table = await deployment.cordon(['top', '--once', '-n', '0.2', '--sort', 'cpu']);
    expect(table.stdout).toMatch(new RegExp(`${id.slice(-8)} +busy +running .*no-grant GET https://refused.example/`));
    expect(table.stdout).toContain('gateways: 1 live');
    expect(table.stdout).not.toContain('\u001b');

    const onTerminal = ['-qec', `${cordonProgram} top -n 0.2; stty -a`, '/dev/null'];
    const screen = spawn(terminalProgram, onTerminal, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: deployment.folder,
        TERM: 'xterm',
        CORDON_HOME: deployment.home,
        CORDON_RUNTIME_DIR: deployment.runtime,
      },
    });
    let out = '';
    screen.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const closed = new Promise<number | null>((resolve) => screen.on('close', resolve));
    await wait(() => out.includes('sorted by denied') && out.includes(id.slice(-8)), 'the first frame');
    screen.stdin.write('c');
    await wait(() => out.includes('sorted by cpu'), 'another order');
    screen.stdin.write('q');
    expect(await closed).toBe(0);
    expect(out).toContain('\u001b[?1049h');
    // The way back comes last, and the terminal is one that echoes and reads lines again.
    expect(out.slice(out.lastIndexOf('\u001b[?1049l'))).toMatch(/[^-]icanon[\s\S]*[^-]echo /);
    await deployment.cordon(['kill', id]);
    expect(await agent.closed).toBe(137);
  });

  it('says what is wrong with a call', async () => {
    const interval = await deployment.cordon(['top', '-n', 'soon']);
    expect([interval.status, interval.stderr]).toEqual([64, expect.stringContaining('0.1 to 3600')]);
    const key = await deployment.cordon(['top', '--sort', 'name']);
    expect([key.status, key.stderr]).toEqual([64, expect.stringContaining('denied, bytes, cpu, memory, age')]);
  });
});
