import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundRun, Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const host = 'pay.example';
const policy = `version: 1
grants:
  - allow: ${host}/free/**
  - allow: ${host}/pay/**
    methods: [POST]
    approval: 1
`;
const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 30_000);

interface Held {
  readonly id: string;
  readonly state: string;
  readonly session: string;
  readonly summary: string;
}

async function waiting(deployment: Deployment, options: readonly string[] = []): Promise<Held[]> {
  const { stdout } = await deployment.cordon(['approvals', '--json', ...options]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Held);
}

/** An agent in the background, and what it has written so far. */
function start(deployment: Deployment, script: string, more: readonly string[] = ['--quiet']) {
  const child: BackgroundRun = deployment.background([
    'run',
    ...more,
    '--policy',
    'cordon.yaml',
    '--',
    '/bin/sh',
    '-c',
    script,
  ]);
  const seen = { out: '', err: '' };
  child.stdout?.on('data', (chunk: Buffer) => {
    seen.out += chunk.toString();
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    seen.err += chunk.toString();
  });
  return { child, seen };
}

const post = (body: string, target = '/pay/1'): string =>
  `curl -s -m 60 -w ' %{http_code}\\n' -X POST -d '${body}' https://${host}${target}`;

describe('a request that a person must agree to', () => {
  let deployment: Deployment;
  let server: HttpSink;
  beforeAll(async () => {
    const ca = new TestCa();
    server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 200, body: 'paid' }) });
    deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
    writeFileSync(path.join(deployment.workspace, 'cordon.yaml'), policy);
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  it('waits with its connection open, and goes on when somebody says yes', async () => {
    const before = server.requests.length;
    const { child, seen } = start(deployment, post('amount=10'), []);
    await wait(() => seen.err.includes('waits for a person'), 'the line of run');
    const [held] = await waiting(deployment);
    expect(held).toMatchObject({ state: 'open', summary: `POST https://${host}/pay/1` });
    expect(seen.err).toContain(`cordon approve ${held?.id.slice(-8)}`);
    expect(server.requests.length).toBe(before);
    const approved = await deployment.cordon(['approve', held?.id.slice(-8) ?? '']);
    expect(approved.status, approved.stderr).toBe(0);
    expect(approved.stdout).toContain('  | amount=10');
    expect(approved.stdout).toContain('context.approval.quorum >= 1');
    expect(await child.closed).toBe(0);
    expect(seen.out).toBe('paid 200\n');
    expect(server.requests.length).toBe(before + 1);
    expect((await waiting(deployment, ['--all']))[0]).toMatchObject({ id: held?.id, state: 'used' });
    // Afterwards it is proved from the ledger alone: whose signature let which bytes through, and that policy says the same.
    const verified = await deployment.cordon(['ledger', 'verify', '--only', 'approvals,decisions', '--json']);
    expect(verified.status, verified.stdout).toBe(0);
    const { ledgers } = JSON.parse(verified.stdout) as { ledgers: { parts: unknown[] }[] };
    expect(ledgers[0]?.parts).toMatchObject([
      { part: 'approvals', ok: true, open: false, counts: { holds: 1, answers: 1, uses: 1, approved: 1 } },
      { part: 'decisions', ok: true, open: false },
    ]);
  });
});
