import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundRun, Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

// The grant is the guide's own, so that what it shows is what is tried here.
const guide = readFileSync(new URL('../../docs/guides/approvals.md', import.meta.url), 'utf8');
const host = 'api.github.com';
const policy = /For an hour[\s\S]*?```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 60_000);

describe('destinations that a person has named for a time', () => {
  let deployment: Deployment;
  let server: HttpSink;
  let agent: BackgroundRun;
  let session = '';
  beforeAll(async () => {
    const ca = new TestCa();
    server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 201, body: 'filed' }) });
    deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
    writeFileSync(path.join(deployment.workspace, 'cordon.yaml'), policy);
    agent = deployment.background(['run', '--quiet', '--policy', 'cordon.yaml', '--', '/bin/sh', '-c', 'sleep 600']);
    await wait(async () => {
      const [found] = await json<{ id: string; state: string }>('ps', '--json');
      session = found?.state === 'running' ? found.id : '';
      return session !== '';
    }, 'the agent');
  });
  afterAll(async () => {
    await deployment[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await agent.closed;
  });

  async function json<T>(...words: string[]): Promise<T[]> {
    const { stdout } = await deployment.cordon(words);
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]));
  }

  /**
   * The agent files an issue, answered at once. Asked again where the machine was too busy to decide (`slow-decision`):
   * nothing was sent then, and a use may be gone.
   */
  async function file(account: string, title: string): Promise<string> {
    const curl = `curl -s -m 60 -H 'Prefer: respond-async' -d 'title=${title}' https://${host}/repos/${account}/app/issues`;
    const again = `case "$r" in *slow-decision*) sleep 0.2;; *) printf %s "$r"; break;; esac`;
    const script = `while :; do r=$(${curl}); ${again}; done`;
    return (await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', script])).stdout;
  }

  interface Listed {
    readonly id: string;
    readonly state: string;
    readonly used: { uses: number };
  }
  const endorsements = (): Promise<Listed[]> => json('endorsements', 'list', '--all', '--json');
  const holds = (): Promise<{ id: string }[]> => json('approvals', '--json');
  const sent = (): string[] => server.requests.map(({ body }) => String(body));

  async function endorse(...options: string[]) {
    const [hold] = await holds();
    return await deployment.cordon(['approve', hold?.id ?? '', ...options]);
  }

  it('are not asked about again until the uses are up; others are, and a kill -9 of the daemon loses nothing', async () => {
    expect(await file('acme', 'one')).toContain('hold-pending');
    const where = `https://${host}/repos/acme/**`;
    const signed = await endorse('--endorse', where, '--for', '1h', '--uses', '4', '--bytes', '64KiB');
    expect(signed.status, signed.stderr).toBe(0);
    expect(signed.stdout).toContain('waits only because nobody has named:\n  | account github/acme');
    expect(signed.stdout).toContain(`  | range https://${host}:443/repos/acme/**`);
    expect(signed.stdout).toContain('at most 4 requests and 65536 bytes');
    expect(signed.stderr).toContain('cordon endorsements withdraw end_');
    expect(await file('acme', 'one')).toBe('filed');
    expect(await file('acme', 'two')).toBe('filed');
    const before = await endorsements();
    expect(before).toMatchObject([{ state: 'active' }]);
    expect(before[0]?.used.uses).toBeGreaterThan(0);
    expect(await file('evil', 'two')).toContain('hold-pending');

    const { roles } = JSON.parse((await deployment.cordon(['status', '--json'])).stdout) as {
      roles: Array<{ role: string; pid: number }>;
    };
    process.kill(roles.find(({ role }) => role === 'control')?.pid ?? 0, 'SIGKILL');
    await wait(async () => (await deployment.up()).status === 0, 'the daemon to be back');
    expect(await endorsements()).toEqual(before);
    let count = 0;
    // The gateway finds the new daemon by itself; until then nobody can be asked.
    await wait(async () => {
      count += 1;
      return (await file('acme', `more ${count}`)).includes('hold-pending');
    }, 'the uses to be up');
    expect(await endorsements()).toMatchObject([{ state: 'used', used: { uses: 4 } }]);
    expect(sent().slice(0, 2)).toEqual(['title=one', 'title=two']);
    expect(sent().length).toBeGreaterThan(2);
    // One by its own yes, and four by name.
    expect(sent().length).toBeLessThanOrEqual(5);
  }, 180_000);

  it('are named by `policy explain` for what went out by them', async () => {
    const decisions = await json<{ attempt: string; outcome: string }>('logs', session, '--json');
    const allowed = decisions.filter(({ outcome }) => outcome === 'allow').map(({ attempt }) => attempt);
    const { stdout } = await deployment.cordon(['policy', 'explain', allowed.at(-1) ?? '']);
    expect(stdout).toMatch(/endorsed by end_\w+: without it destInteg is 0, and a person is asked/);
  });

  it('end when somebody withdraws them', async () => {
    const signed = await endorse('--endorse', '--uses', '1000');
    expect(signed.status, signed.stderr).toBe(0);
    expect(await file('acme', 'five')).toBe('filed');
    const [{ id = '' } = {}] = await json<{ id: string }>('endorsements', 'list', '--json');
    const ended = await deployment.cordon(['endorsements', 'withdraw', id.slice(-8)]);
    expect(ended.status, ended.stderr).toBe(0);
    expect(ended.stdout).toContain(`withdrawn ${id}, after `);
    expect(await file('acme', 'six')).toContain('hold-pending');
    expect(sent()).not.toContain('title=six');
  });

  it('are not opened by what does not wait for a name, and not without bounds', async () => {
    for (const options of [
      ['--for', '9h'],
      ['--uses', '1001'],
      ['--bytes', '65MiB'],
      ['--bytes', '1'],
    ]) {
      const refused = await endorse('--endorse', ...options);
      expect(refused.status, options.join(' ')).not.toBe(0);
      expect(refused.stderr).toMatch(/endorsement-(malformed|bytes)/);
    }
    const elsewhere = await endorse('--endorse', `https://${host}/repos/evil/**`);
    expect(elsewhere.stderr).toContain('endorsement-other-place');
    expect((await endorse('--for', '1h')).status).toBe(64);
    expect(await json('endorsements', 'list', '--json')).toEqual([]);
  });

  it('are proved from the ledger alone: whose word let which bytes through, and that policy would have asked', async () => {
    const verified = await deployment.cordon(['ledger', 'verify', '--json']);
    expect(verified.status, verified.stdout).toBe(0);
    const { ledgers } = JSON.parse(verified.stdout) as {
      ledgers: { parts: { part: string; counts: Record<string, number> }[] }[];
    };
    const { counts = {} } = ledgers[0]?.parts.find(({ part }) => part === 'approvals') ?? {};
    expect(counts).toMatchObject({ endorsements: 2, failures: 0 });
    expect((counts['endorsed'] ?? 0) + (counts['approved'] ?? 0)).toBe(sent().length);
    expect(counts['endorsedUses']).toBeGreaterThanOrEqual(counts['endorsed'] ?? 0);
    await deployment.cordon(['kill', session]);
    expect(await agent.closed).toBe(137);
  });
});
