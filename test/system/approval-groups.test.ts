import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const host = 'bank.example.com';
const wait = (condition: () => Promise<boolean>, what: string): Promise<void> => until(condition, what, 30_000);
const policy = `version: 1
grants:
  - allow: ${host}/v1/payments
    methods: [POST]
    approval: { people: 2, from: [finance] }
`;
const pay = (amount: number): string =>
  `curl -s -m 60 -H 'Prefer: respond-async' -H 'Content-Type: application/json' -d '{"to":"alice","amount":${amount}}' https://${host}/v1/payments`;

describe('a payment that two people of a group must agree to', () => {
  let deployment: Deployment;
  let server: HttpSink;
  beforeAll(async () => {
    const ca = new TestCa();
    server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 200, body: 'paid' }) });
    deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
    writeFileSync(path.join(deployment.workspace, 'cordon.yaml'), policy);
    writeFileSync(path.join(deployment.home, 'policy/tenant.yaml'), 'default: allow\napprovals: { rungs: [1, 2] }\n');
    await wait(async () => {
      const { stdout } = await deployment.cordon(['policy', 'show', '--json']);
      return (JSON.parse(stdout) as { generation: number }).generation === 2;
    }, 'the tenant’s rules');
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  const cordon = async (...words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await deployment.cordon(words);
    return `${status} ${stdout}${stderr}`;
  };

  async function waiting(): Promise<{ id: string; groups: string[] }> {
    const { stdout } = await deployment.cordon(['approvals', '--json']);
    return JSON.parse(stdout.split('\n')[0] ?? '') as { id: string; groups: string[] };
  }

  it('goes out when both have signed what they were shown, next to what was approved before', async () => {
    const child = deployment.background(['run', '--quiet', '--policy', 'cordon.yaml', '--', '/bin/sleep', '600']);
    let session = '';
    await wait(async () => {
      const lines = (await deployment.cordon(['ps', '--json'])).stdout.split('\n').filter((line) => line !== '');
      const found = lines.map((line) => JSON.parse(line) as { id: string; state: string });
      session = found.find(({ state }) => state === 'running')?.id ?? '';
      return session !== '';
    }, 'the agent');
    const inside = async (script: string) =>
      (await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', script])).stdout;

    // Nobody is in the group: nothing waits that nobody could answer.
    const refused = await inside(pay(10));
    expect(refused).toContain('"code": "approval-unsatisfiable"');
    expect(refused).toContain('cordon people add NAME --group finance');
    expect(await cordon('people', 'add', 'bob', '--key', 'bob.pem', '--group', 'finance')).toMatch(/^0/);
    expect(await cordon('people', 'add', 'eve', '--key', 'eve.pem')).toMatch(/^0/);
    expect(await cordon('people', 'add', 'eve', '--group', 'finance')).toContain('eve is in finance');
    expect(await cordon('people', 'list')).toMatch(/bob +finance[\s\S]*eve +finance/);

    expect(await inside(pay(10))).toContain('hold-pending');
    const first = await waiting();
    expect(first.groups).toEqual(['finance']);
    expect(await cordon('approvals')).toContain('0/2 of finance');
    // The owner of the daemon is in no group.
    expect(await cordon('approve', first.id)).toContain('approval-group');
    const shown = await cordon('approve', first.id, '--key', 'bob.pem');
    expect(shown).toContain('2 different people of finance must agree');
    expect(shown).toContain('first of its kind');
    expect(shown).toContain('1 of 2 people of finance have agreed');
    expect(server.requests).toHaveLength(0);
    expect(await cordon('approve', first.id, '--key', 'eve.pem')).toContain('the agent may send exactly this');
    expect(await inside(pay(10))).toBe('paid');

    expect(await inside(pay(900))).toContain('hold-pending');
    const second = await waiting();
    const compared = await cordon('approve', second.id, '--key', 'bob.pem');
    expect(compared).toContain(`the last one approved of its kind: ${first.id}`);
    expect(compared).toContain('by bob, eve');
    expect(compared).toContain('  | body /amount\n  | - 10\n  | + 900\n');
    expect(compared).not.toContain('body /to');
    // Whoever leaves the group counts no more, also for what was answered already.
    expect(await cordon('people', 'group', 'bob')).toContain('bob is in no group');
    await wait(async () => (await cordon('approvals', '--all')).includes('void'), 'the question to be void');
    expect(await cordon('approve', second.id, '--key', 'eve.pem')).not.toMatch(/^0/);
    expect(server.requests.map(({ body }) => String(body))).toEqual(['{"to":"alice","amount":10}']);
    await deployment.cordon(['kill', session]);
    expect(await child.closed).toBe(137);
    const verified = await deployment.cordon(['ledger', 'verify']);
    expect(verified.status, verified.stdout).toBe(0);
  }, 120_000);
});
