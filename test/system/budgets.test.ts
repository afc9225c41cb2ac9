import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const host = 'api.example.com';
const ca = new TestCa();
let server: HttpSink;
let deployment: Deployment;

beforeAll(async () => {
  server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 200, body: 'fine' }) });
  deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
});
afterAll(async () => {
  await deployment[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

describe('a budget that is used up', () => {
  it('is asked about where it says so; a yes gives as much once more, to the number, and the ledger bears it out', async () => {
    mkdirSync(path.join(deployment.home, 'policy'), { recursive: true });
    const rules = 'budgets: { agent: { requests: 3, per: day, onExhausted: ask } }\n';
    writeFileSync(path.join(deployment.home, 'policy/tenant.yaml'), rules);
    const inForce = async (): Promise<boolean> => {
      const { stdout } = await deployment.cordon(['policy', 'show', '--json']);
      return (JSON.parse(stdout) as { generation: number }).generation === 2;
    };
    await until(inForce, 'the budget is in force', 30_000);
    const once = `curl -s -o /dev/null -w '%{http_code} ' https://${host}/`;
    const script = `while read line; do for i in 1 2 3 4; do ${once}; done; echo done; done`;
    const agent = deployment.background(['run', '--quiet', '--allow', host, '--', 'bash', '-c', script]);
    let out = '';
    agent.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    const rounds = (count: number) => until(() => out.split('done').length > count, `round ${count}: ${out}`, 30_000);
    agent.stdin?.write('\n');
    await rounds(1);
    expect(out).toBe('200 200 200 403 done\n');
    const asked = async (): Promise<string> => (await deployment.cordon(['approvals', '--json'])).stdout.trim();
    await until(async () => (await asked()) !== '', 'the question', 30_000);
    const { id, summary } = JSON.parse(await asked()) as { id: string; summary: string };
    expect(summary).toMatch(/^3 more requests for agent\/generic \(\d{4}-\d\d-\d\d\)$/);
    const approved = await deployment.cordon(['approve', id]);
    expect(approved.status, approved.stderr).toBe(0);
    expect(approved.stdout).toContain('a yes gives 3 more');
    agent.stdin?.write('\n');
    await rounds(2);
    expect(out).toBe('200 200 200 403 done\n200 200 200 403 done\n');
    expect(server.requests).toHaveLength(6);
    const { stdout } = await deployment.cordon(['budgets']);
    expect(stdout).toMatch(/agent\/generic +requests +day +6 +3 \+ 3 +0 +100 %/);
    agent.stdin?.end();
    expect(await agent.closed).toBe(0);
    const verified = await deployment.cordon(['ledger', 'verify', '--json']);
    expect(verified.status, verified.stdout).toBe(0);
    const said = verified.stdout.split('\n').find((line) => line.includes('"part":"approvals"')) ?? '';
    expect(said).toContain('"raised":1');
    expect(said).toContain('"usesWithoutEffect":0');
  }, 90_000);
});
