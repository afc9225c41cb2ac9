import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { Deployment, type Run } from '../support/deployment.ts';
import { until } from '../support/until.ts';

const wait = (condition: () => boolean | Promise<boolean>, what: string): Promise<void> =>
  until(condition, what, 20_000);

const rounds = Number(process.env['CORDON_CHAOS_ROUNDS'] ?? 10);
const roles = ['control', 'supervisor', 'gateway'] as const;
const host = 'counted.example';

interface Role {
  readonly role: string;
  readonly pid: number;
}

async function rolesOf(deployment: Deployment): Promise<Role[]> {
  const { stdout } = await deployment.cordon(['status', '--json']);
  return (JSON.parse(stdout) as { roles: Role[] }).roles;
}

/** An agent that never stops asking; it prints the number of each request that was answered with 200. */
const asking = (name: string): string =>
  `i=0; while [ $i -lt 400 ]; do i=$((i+1)); [ "$(curl -s -m 5 -o /dev/null -w '%{http_code}' https://${host}/${name}/$i)" = 200 ] && echo ${name}/$i; sleep 0.01; done`;

/** What a session keeps after its end is its proposal and the manifest that names it; nothing else may be there. */
function filesOf(deployment: Deployment, sessions: readonly string[]): string[] {
  const kept = new Set(['manifest.json', 'upper', 'quarantine', 'applied.json']);
  return sessions.flatMap((session) => {
    const folder = path.join(deployment.home, 'sessions', session);
    return existsSync(folder) ? readdirSync(folder).filter((name) => !kept.has(name)) : [];
  });
}

function cgroupsOf(session: string): string[] {
  const found = execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `*${session}*`], { encoding: 'utf8' });
  return found.split('\n').filter((line) => line !== '');
}

describe(`kill -9 of each role at a random moment, ${rounds} times`, () => {
  it.each(Array.from({ length: rounds }, (_, i) => [i + 1, roles[i % roles.length] ?? 'control'] as const))(
    'round %i: %s',
    async (round, victim) => {
      const ca = new TestCa();
      await using counted = await HttpSink.start({
        tls: ca.issue([host]),
        answer: () => ({ status: 200, body: 'ok' }),
      });
      let sessions: string[] = [];
      let folder = '';
      {
        await using deployment = await Deployment.start({ destinations: destinationsOf({ [host]: counted.port }, ca) });
        folder = deployment.folder;
        const runs = ['a', 'b'].map((name) =>
          deployment.cordon(['run', '--quiet', '--allow', host, '--', '/bin/sh', '-c', asking(name)], {
            timeoutMs: 40_000,
          }),
        );
        await wait(() => counted.requests.length > 5, 'the agents to ask');
        sessions = (await deployment.cordon(['ps', '--json'])).stdout
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { id: string }).id);
        expect(sessions).toHaveLength(2);
        const target = (await rolesOf(deployment)).find((each) => each.role.split(' ')[0] === victim);
        expect(target, `no ${victim} in status`).toBeDefined();
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
        process.kill(target?.pid ?? 0, 'SIGKILL');
        const before = counted.requests.length;

        if (victim === 'supervisor') {
          // The kernel ends the sandboxes with it.
          await wait(
            () => sessions.every((session) => insideOf(deployment, session).length === 0),
            'the sandboxes to end',
          );
        } else {
          await wait(() => counted.requests.length > before + 5, 'the agents to go on');
        }
        await deployment.cordon(['kill', '--all', '--reason', `round ${round}`]);
        const ended = await Promise.all(runs);
        await everyAnswerIsRecorded(deployment, ended, counted);
        const verified = await deployment.cordon(['ledger', 'verify']);
        expect(verified.status, verified.stdout + verified.stderr).toBe(0);
        expect(filesOf(deployment, sessions), 'files left behind').toEqual([]);
      }
      // The deployment has checked processes and mounts at its end.
      expect(existsSync(folder)).toBe(false);
      expect(sessions.flatMap(cgroupsOf), 'cgroups left behind').toEqual([]);
    },
    90_000,
  );
});

function insideOf(deployment: Deployment, session: string): number[] {
  const mine = new Set(deployment.processes());
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && mine.has(Number(name)))
    .map(Number)
    .filter((pid) => {
      try {
        return execFileSync('cat', [`/proc/${pid}/cgroup`], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }).includes(session);
      } catch {
        return false;
      }
    });
}

async function everyAnswerIsRecorded(deployment: Deployment, ended: readonly Run[], counted: HttpSink): Promise<void> {
  const answered = ended.flatMap((run) => run.stdout.split('\n').filter((line) => line !== ''));
  expect(answered.length).toBeGreaterThan(0);
  const allowed = (await deployment.decisions())
    .filter((decision) => decision['outcome'] === 'allow')
    .map((decision) => String(decision['summary']));
  const recorded = (target: string): boolean =>
    allowed.some((summary) => summary.endsWith(`/${target}`) || summary.includes(`/${target} `));
  expect(
    answered.filter((target) => !recorded(target)),
    'answers without a recorded decision',
  ).toEqual([]);
  const reached = counted.requests.map((request) => request.target.slice(1));
  expect(
    reached.filter((target) => !recorded(target)),
    'effects without a record',
  ).toEqual([]);
}
