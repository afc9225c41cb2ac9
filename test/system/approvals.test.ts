import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackgroundRun, Deployment } from '../support/deployment.ts';
import { until } from '../support/until.ts';

// The rules are the guide's own, so that what it shows is what is tried here.
const guide = readFileSync(new URL('../../docs/guides/approvals.md', import.meta.url), 'utf8');
const host = 'pay.example.com';
const policy = /```yaml\n(version: 1[\s\S]*?)```/.exec(guide)?.[1] ?? '';
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

/** An agent that does nothing, to run things beside. */
async function startIdle(deployment: Deployment): Promise<{ child: BackgroundRun; session: string }> {
  const { child } = start(deployment, 'sleep 600');
  let session = '';
  await wait(async () => {
    const running = (await deployment.cordon(['ps', '--json'])).stdout.split('\n').filter((line) => line !== '');
    const found = running.map((line) => JSON.parse(line) as { id: string; state: string });
    session = found.find(({ state }) => state === 'running')?.id ?? '';
    return session !== '';
  }, 'the agent');
  return { child, session };
}

const curl = (body: string, more = ''): string =>
  `curl -s -m 60 -w ' %{http_code}\\n' ${more} -X POST -d '${body}' https://${host}/pay/1`;
const unless = (pattern: string, command: string): string =>
  `while :; do r=$(${command}); case "$r" in ${pattern}) sleep 0.2;; *) echo "$r"; break;; esac; done`;
/**
 * As an agent does that is told to come again: on a busy machine nobody may answer within the wait, or be asked, or the
 * machine may be too late to decide (`slow-decision`; nothing was sent then).
 */
const post = (body: string): string => unless('*hold-pending*|*hold-unavailable*|*slow-decision*', curl(body));
/** Answered at once, whatever becomes of it. */
const now = (body: string): string => unless('*slow-decision*', curl(body, "-H 'Prefer: respond-async'"));

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
    // Whoever asks later who agreed finds it by the attempt, and by the question that this names.
    const sent = (await deployment.decisions()).find(({ outcome }) => outcome === 'allow');
    const about = async (id: string): Promise<{ type: string; data: Record<string, unknown> }[]> => {
      const { stdout, stderr, status } = await deployment.cordon(['ledger', 'show', id, '--json']);
      expect(status, stderr).toBe(0);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map(
        (line) => (JSON.parse(line) as { entry: { type: string; data: Record<string, unknown> } }).entry,
      );
    };
    const done = await about(String(sent?.['attempt']));
    const types = done.map(({ type }) => type).filter((type) => type !== 'label');
    expect(types.sort()).toEqual(['approval.used', 'decision', 'outcome', 'start']);
    const question = String(done.find(({ type }) => type === 'approval.used')?.data['hold']);
    const agreed = (await about(question)).find(({ type }) => type === 'approval');
    expect(agreed?.data).toMatchObject({ verdict: 'approve', person: { iss: expect.stringMatching(/^local:/) } });
    // Afterwards it is proved from the ledger alone: whose signature let which bytes through, and that policy says the same.
    const verified = await deployment.cordon(['ledger', 'verify', '--only', 'approvals,decisions', '--json']);
    expect(verified.status, verified.stdout).toBe(0);
    const { ledgers } = JSON.parse(verified.stdout) as { ledgers: { parts: unknown[] }[] };
    expect(ledgers[0]?.parts).toMatchObject([
      { part: 'approvals', ok: true, open: false, counts: { holds: 1, answers: 1, uses: 1, approved: 1 } },
      { part: 'decisions', ok: true, open: false },
    ]);
  });

  it('docs/guides/approvals.md names no command and no option that is not there', async () => {
    const lines = [
      ...guide.matchAll(/^\$ cordon (approvals|approve|deny|whoami|(?:people|endorsements) [a-z]+)([^\n]*)/gm),
    ];
    expect(lines.length).toBeGreaterThan(10);
    const help = new Map<string, string>();
    for (const [, name = '', rest = ''] of lines) {
      const text = help.get(name) ?? (await deployment.cordon([...name.split(' '), '--help'])).stdout;
      help.set(name, text);
      expect(text, name).toContain(`cordon ${name}`);
      for (const [option] of rest.matchAll(/--[a-z]+/g)) expect(text, `${name} ${option}`).toContain(option);
    }
  });

  it('is told why when somebody says no, and is refused the same until the question would have expired', async () => {
    const before = server.requests.length;
    const { child, seen } = start(deployment, `${post('amount=20')}; ${post('amount=20')}`);
    await wait(async () => (await waiting(deployment)).length === 1, 'the question');
    const [held] = await waiting(deployment);
    const denied = await deployment.cordon(['deny', held?.id ?? '', '--reason', 'use the staging account']);
    expect(denied.status, denied.stderr).toBe(0);
    expect(await child.closed).toBe(0);
    expect(seen.out.match(/use the staging account/g)).toHaveLength(2);
    expect(seen.out.match(/approval-denied/g)?.length).toBeGreaterThanOrEqual(2);
    expect(server.requests.length).toBe(before);
    const late = await deployment.cordon(['approve', held?.id ?? '']);
    expect([late.status, late.stderr.includes('view-gone') || late.stderr.includes('denied')]).toEqual([64, true]);
  });

  it('goes out once, however many send the same bytes, and its bytes alone', async () => {
    const before = server.requests.length;
    const { child, session } = await startIdle(deployment);
    const inside = (script: string) => deployment.cordon(['exec', session, '--', '/bin/sh', '-c', script]);
    expect((await inside(now('amount=30'))).stdout).toContain('hold-pending');
    const [held] = await waiting(deployment);
    expect((await deployment.cordon(['approve', held?.id ?? ''])).status).toBe(0);
    const other = await inside(now('amount=31'));
    expect(other.stdout).toContain('hold-pending');
    expect(other.stdout).not.toContain(held?.id);
    const many = Array.from({ length: 8 }, (_, i) => `${now('amount=30')} > /tmp/o${i} &`).join('\n');
    const { stdout } = await inside(`${many}\nwait\ncat /tmp/o*`);
    expect(stdout.match(/^paid 200$/gm)).toHaveLength(1);
    expect(stdout.match(/"code": "hold-[a-z]+"/g)).toHaveLength(7);
    expect(server.requests.slice(before).map(({ body }) => String(body))).toEqual(['amount=30']);
    await deployment.cordon(['kill', session]);
    expect(await child.closed).toBe(137);
    await wait(async () => (await waiting(deployment)).length === 0, 'nothing to wait after the kill');
    expect(server.requests.length).toBe(before + 1);
  });

  it('is signed at a terminal only by who says so after it was shown', async () => {
    const { child, session } = await startIdle(deployment);
    await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', now('amount=60')]);
    const [held] = await waiting(deployment);
    const id = held?.id ?? '';
    for (const input of ['\n', 'no\n', 'yess\n', '\u0004']) {
      const asked = await deployment.onTerminal(`CORDON approve ${id}`, { input });
      expect(asked.stdout, input).toMatch(
        /\| amount=60[\s\S]*Sign a yes to exactly this\? \[y\/N\][\s\S]*nothing was signed/,
      );
      expect(await waiting(deployment)).toMatchObject([{ id, state: 'open', answers: [] }]);
    }
    const said = await deployment.onTerminal(`CORDON approve ${id}`, { input: 'y\n' });
    expect(said.stdout).toContain(`approved ${id}`);
    expect(await waiting(deployment)).toMatchObject([{ id, state: 'approved' }]);
    await deployment.cordon(['kill', session]);
    expect(await child.closed).toBe(137);
    await wait(async () => (await waiting(deployment)).length === 0, 'nothing to wait after the kill');
  });

  it('of several pages is approved by who has read them all', async () => {
    const { child, session } = await startIdle(deployment);
    const lines = `head -c 100000 /dev/zero | tr '\\0' a | fold -w 70 > /tmp/long`;
    const send = `curl -s -m 60 -H 'Prefer: respond-async' -X POST --data-binary @/tmp/long https://${host}/pay/1`;
    const asked = await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', `${lines}; ${send}`]);
    expect(asked.stdout).toContain('hold-pending');
    const id = (await waiting(deployment))[0]?.id ?? '';
    const unread = await deployment.cordon(['approve', id]);
    expect([unread.status, unread.stderr.includes('it has 2 pages')]).toEqual([64, true]);
    const page = await deployment.cordon(['approvals', id, '--page', '2']);
    expect(page.stdout).toMatch(/page 2 of 2\n(?: {2}\| a+\n)+/);
    expect((await deployment.cordon(['approve', id, '--pages', '1'])).status).toBe(64);
    expect((await deployment.cordon(['approve', id, '--pages', '2'])).status).toBe(0);
    const sent = await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', send]);
    expect(sent.stdout).toBe('paid');
    await deployment.cordon(['kill', session]);
    expect(await child.closed).toBe(137);
    await wait(async () => (await waiting(deployment)).length === 0, 'nothing to wait after the kill');
  });

  it('and its approval outlive a daemon that was killed; nothing outlives a kill of the session', async () => {
    const before = server.requests.length;
    const { child, session } = await startIdle(deployment);
    const asks = now('amount=40');
    expect((await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', asks])).stdout).toContain('hold-pending');
    const [held] = await waiting(deployment);
    expect((await deployment.cordon(['approve', held?.id ?? ''])).status).toBe(0);
    const { roles } = JSON.parse((await deployment.cordon(['status', '--json'])).stdout) as {
      roles: Array<{ role: string; pid: number }>;
    };
    process.kill(roles.find(({ role }) => role === 'control')?.pid ?? 0, 'SIGKILL');
    await wait(async () => (await deployment.up()).status === 0, 'the daemon to be back');
    expect(await waiting(deployment)).toMatchObject([{ id: held?.id, state: 'approved' }]);
    // The gateway finds the new daemon by itself.
    await wait(async () => {
      const { stdout } = await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', asks]);
      return stdout === 'paid 200\n';
    }, 'the approved request to go out');
    expect(server.requests.length).toBe(before + 1);
    expect((await deployment.cordon(['exec', session, '--', '/bin/sh', '-c', asks])).stdout).toContain('hold-pending');
    const [open] = await waiting(deployment);
    await deployment.cordon(['kill', session]);
    expect(await child.closed).toBe(137);
    expect((await deployment.cordon(['approve', open?.id ?? ''])).status).not.toBe(0);
    expect(server.requests.length).toBe(before + 1);
    const verified = await deployment.cordon(['ledger', 'verify']);
    expect(verified.status, verified.stdout).toBe(0);
  }, 120_000);
});

describe('a tenant that wants two people', () => {
  it('lets nothing through before two different people have said yes, by keys of their own', async () => {
    const ca = new TestCa();
    await using server = await HttpSink.start({ tls: ca.issue([host]), answer: () => ({ status: 200, body: 'paid' }) });
    await using deployment = await Deployment.start({ destinations: destinationsOf({ [host]: server.port }, ca) });
    const rules = /```yaml\n(default: allow[\s\S]*?) {2}webhook/.exec(guide)?.[1] ?? '';
    writeFileSync(path.join(deployment.home, 'policy/tenant.yaml'), rules);
    await wait(async () => {
      const { stdout } = await deployment.cordon(['policy', 'show', '--json']);
      return (JSON.parse(stdout) as { generation: number }).generation === 2;
    }, 'the tenant’s rules');
    writeFileSync(path.join(deployment.workspace, 'cordon.yaml'), policy.replace('approval: 1', 'approval: 2'));
    for (const name of ['bob', 'eve']) {
      expect((await deployment.cordon(['people', 'add', name, '--key', `${name}.pem`])).status).toBe(0);
    }
    expect((await deployment.cordon(['people', 'add', 'bob', '--key', 'bob2.pem'])).status).toBe(0);
    const { child, seen } = start(deployment, post('amount=50'));
    await wait(async () => (await waiting(deployment)).length === 1, 'the question');
    const id = (await waiting(deployment))[0]?.id ?? '';
    const approve = async (...more: string[]) => {
      const { status, stdout, stderr } = await deployment.cordon(['approve', id, ...more]);
      return `${status} ${stdout.split('\n').at(-2)}${/[a-z-]+(?=:)|\b(?:approval|hold)-[a-z-]+/.exec(stderr)?.[0] ?? ''}`;
    };
    // The owner of the daemon is the one whom the agent acts for.
    expect(await approve()).not.toMatch(/^0/);
    expect(await approve('--key', 'bob.pem')).toContain('1 of 2 people have agreed');
    expect(await approve('--key', 'bob2.pem')).not.toMatch(/^0/);
    expect(server.requests).toHaveLength(0);
    expect(await approve('--key', 'eve.pem')).toContain('the agent may send exactly this');
    expect(await child.closed).toBe(0);
    expect(seen.out).toBe('paid 200\n');
    const shown = (await deployment.cordon(['approvals', '--all', '--json'])).stdout;
    expect(JSON.parse(shown.split('\n')[0] ?? '')).toMatchObject({ state: 'used', rung: { quorum: 2 } });
  }, 120_000);
});
