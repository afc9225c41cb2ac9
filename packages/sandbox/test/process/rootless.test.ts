import { execFileSync } from 'node:child_process';
import { chownSync, constants, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { driver, launchBinary, requireHost } from './harness.ts';

/** A user that nobody else is; it needs no entry in passwd. */
const uid = 64_321;
const scratch = mkdtempSync('/var/tmp/cordon-rootless-');

interface Outcome {
  readonly code?: string;
  readonly message?: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: { readonly status: number };
  readonly weaker: readonly string[];
  readonly uid: number;
  readonly clean: boolean;
  readonly upper: readonly string[];
}

/** Everything is copied to where an ordinary user can reach it, wherever the checkout lies. */
beforeAll(async () => {
  requireHost();
  chownSync(scratch, uid, uid);
  await build({
    entryPoints: [path.join(import.meta.dirname, 'fixtures/ordinary.ts')],
    outfile: path.join(scratch, 'ordinary.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['cordon-source'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('/');" },
    logLevel: 'silent',
  });
  copyFileSync(launchBinary, path.join(scratch, 'launch'));
  copyFileSync(process.execPath, path.join(scratch, 'node'), constants.COPYFILE_FICLONE);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('an ordinary user gets the same boundary, and is told what it lacks', () => {
  const base = path.join(scratch, 'base');
  mkdirSync(base);
  chownSync(base, uid, uid);
  const output = execFileSync(
    path.join(scratch, 'node'),
    [path.join(scratch, 'ordinary.mjs'), base, path.join(scratch, 'launch')],
    {
      uid,
      gid: uid,
      cwd: '/',
      env: {},
      encoding: 'utf8',
    },
  );
  const { refused, proposal, direct, kept, killed, probe } = JSON.parse(output) as Record<
    'refused' | 'proposal' | 'direct',
    Outcome
  > & {
    kept: string;
    killed: { freeze: { confirmed: boolean }; stop: { confirmed: boolean; processesLeft: number }; left: string[] };
    probe: { name: string; works: boolean; mend: string | null }[];
  };
  // No cgroup is delegated to this user: the start is refused until that is asked for by name.
  expect(refused).toMatchObject({ code: 'layer-missing' });
  expect(refused.message).toMatch(/^cgroups:/);
  expect(proposal).toMatchObject({ weaker: ['cgroups'], uid, clean: true, exit: { status: 1 } });
  expect(proposal.stdout).toMatch(/^1000\nCapEff:\s0{16}\nCapBnd:\s0{16}\nNoNewPrivs:\s1\nSeccomp:\s2\nnew\na tool\n$/);
  expect(proposal.stderr).toMatch(/Read-only file system|Permission denied/);
  expect([...proposal.upper].sort()).toEqual(['added', 'kept']);
  expect(kept).toBe('old');
  expect(direct).toMatchObject({ stdout: '1000\n500\n', stderr: '', clean: true });
  expect(statSync(path.join(base, 'workspace/added')).uid).toBe(uid);
  // Without a cgroup nothing can be frozen, and it says so; a kill is complete all the same.
  expect(killed.freeze.confirmed).toBe(false);
  expect(killed.stop).toMatchObject({ confirmed: true, processesLeft: 0 });
  expect(killed.left).toEqual([]);
  const works = Object.fromEntries(probe.map((capability) => [capability.name, capability.works]));
  expect(works).toEqual({
    bubblewrap: true,
    namespaces: true,
    landlock: true,
    seccomp: true,
    cgroups: false,
    uid: true,
    overlay: true,
    capture: true,
    'hand-off': true,
  });
  expect(probe.find(({ name }) => name === 'cgroups')?.mend).toContain('Delegate=yes');
});

it('root has every layer, each tried', async () => {
  const probe = await driver().probe();
  expect(probe.map(({ name, works }) => [name, works])).toEqual(
    ['bubblewrap', 'namespaces', 'landlock', 'seccomp', 'cgroups', 'uid', 'overlay', 'capture', 'hand-off'].map(
      (name) => [name, true],
    ),
  );
});

it('a program that is not there is named, with its mend', async () => {
  const { createProcessDriver } = await import('@cordon/sandbox');
  const { systemClock, systemRandom } = await import('@cordon/protocol');
  const [only, ...rest] = await createProcessDriver({
    clock: systemClock,
    random: systemRandom,
    relays: '/nowhere',
    launchBinary: '/nowhere/launch',
  }).probe();
  expect(rest).toEqual([]);
  expect(only).toMatchObject({ name: 'launcher', works: false, mend: expect.stringContaining('build.sh') as string });
});
