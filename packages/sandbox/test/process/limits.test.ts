import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { findHierarchy } from '../../src/cgroup/hierarchy.ts';
import { SessionCgroup } from '../../src/cgroup/session-cgroup.ts';
import { collect, driver, Place, requireHost, run, said, sh, start } from './harness.ts';

beforeAll(requireHost);

const bomb = `trap '' TERM INT HUP QUIT
for i in $(seq 300); do (trap '' TERM INT HUP QUIT; while :; do sleep 1000; done) & done
echo up; wait`;

describe('limits', () => {
  it('processes: a fork bomb stops at its own wall', async () => {
    const program = `import os, time
n = 0
try:
    while n < 100:
        if os.fork() == 0: time.sleep(100)
        n += 1
except BlockingIOError: print(n)`;
    const { stdout } = await run({ command: ['/usr/bin/python3', '-c', program], resources: { pidsMax: 20 } });
    expect(Number(stdout)).toBeGreaterThan(15);
    expect(Number(stdout)).toBeLessThanOrEqual(20);
  });

  it('memory: what takes too much is killed, and nothing outside', async () => {
    const program = 'a = []\nwhile True: a.append(bytearray(8 << 20))';
    const { exit } = await sh(`python3 -c '${program}'; echo "python $?"`, { resources: { memoryBytes: 64 << 20 } });
    expect([0, 137]).toContain(exit.status);
    const { stdout } = await sh(`python3 -c '${program.replace('while True', 'for i in range(4)')}' && echo fits`, {
      resources: { memoryBytes: 128 << 20 },
    });
    expect(stdout).toBe('fits\n');
  });

  it('memory: /tmp and /dev/shm cannot be filled beyond their share', async () => {
    const { stderr } = await sh('for d in /tmp /dev/shm; do head -c 300M /dev/zero > $d/x; rm $d/x; done', {
      resources: { memoryBytes: 256 << 20 },
    });
    expect(stderr.match(/No space left on device/g)).toHaveLength(2);
  });

  it('CPU: the quota is in force', async () => {
    await using started = await start({ command: ['sleep', '1000'], resources: { cpuMillis: 250 } });
    const hierarchy = findHierarchy(true);
    const base = hierarchy?.legacy.get('cpu') ?? hierarchy?.unified ?? '';
    const folder = path.join(base, 'cordon.run/test/agent', started.place.session);
    const file = existsSync(path.join(folder, 'cpu.max')) ? 'cpu.max' : 'cpu.cfs_quota_us';
    expect(readFileSync(path.join(folder, file), 'utf8')).toMatch(/^25000/);
  });

  it('open files, size of a file, core dumps', async () => {
    const { stdout, stderr } = await sh(
      'ulimit -n; ulimit -Hn; ulimit -c; head -c 3M /dev/zero > big; stat -c %s big',
      {
        resources: { openFilesMax: 100, diskBytes: 2 * 1024 * 1024 },
      },
    );
    expect(stdout).toBe(`100\n100\n0\n${2 * 1024 * 1024}\n`);
    expect(stderr).toMatch(/File size limit exceeded|File too large/);
  });
});

describe('kill', () => {
  it('ends 300 processes that ignore every signal, and the sandbox knows it', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', bomb], resources: { pidsMax: 1000 } });
    const { sandbox } = started;
    const up = said(sandbox.main.stdout, 'up');
    await sandbox.open();
    await up;
    expect((await sandbox.stats()).processes).toBeGreaterThan(300);
    const stop = await sandbox.kill();
    expect(stop).toMatchObject({ confirmed: true, processesLeft: 0 });
    expect(await sandbox.main.exit).toMatchObject({ status: 137, reason: 'killed' });
    await sandbox.ended;
    expect(pidsOf(sandbox.report.uid)).toEqual([]);
  });

  it('ends what spins under a tiny CPU quota, and what is frozen', async () => {
    const spin = 'for i in $(seq 30); do (while :; do :; done) & done; echo up; wait';
    await using started = await start({ command: ['/bin/bash', '-c', spin], resources: { cpuMillis: 100 } });
    const { sandbox } = started;
    const up = said(sandbox.main.stdout, 'up');
    await sandbox.open();
    await up;
    expect(await sandbox.freeze()).toMatchObject({ confirmed: true });
    expect(await sandbox.kill()).toMatchObject({ confirmed: true, processesLeft: 0 });
    expect(pidsOf(sandbox.report.uid)).toEqual([]);
  });

  it('freezes, thaws and kills in a process that can open nothing more', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', bomb], resources: { pidsMax: 1000 } });
    const { sandbox } = started;
    const up = said(sandbox.main.stdout, 'up');
    await sandbox.open();
    await up;
    const stops = await withoutDescriptors(async () => [
      await sandbox.freeze(),
      await sandbox.thaw(),
      await sandbox.kill(),
    ]);
    expect(stops).toMatchObject([{ confirmed: true }, { confirmed: true }, { confirmed: true, processesLeft: 0 }]);
    await sandbox.ended;
    expect(pidsOf(sandbox.report.uid)).toEqual([]);
  });

  it('ends the sandbox at its barrier', async () => {
    await using started = await start({ command: ['true'] });
    expect(await started.sandbox.kill()).toMatchObject({ confirmed: true });
    await started.sandbox.ended;
    await expect(started.sandbox.open()).rejects.toMatchObject({ code: 'sandbox-ended' });
  });
});

/** This test process itself may open nothing more meanwhile. */
async function withoutDescriptors<Value>(act: () => Promise<Value>): Promise<Value> {
  const pid = String(process.pid);
  const limit = (value: string): Buffer => execFileSync('prlimit', ['--pid', pid, `--nofile=${value}:`]);
  const before = execFileSync('prlimit', ['--pid', pid, '--nofile', '--output', 'SOFT', '--noheadings']);
  limit(String(Math.max(...readdirSync('/proc/self/fd').map(Number)) + 20));
  const taken: number[] = [];
  try {
    expect(() => {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    }).toThrow('EMFILE');
    return await act();
  } finally {
    for (const fd of taken) closeSync(fd);
    limit(before.toString().trim());
  }
}

describe('freeze', () => {
  it('stops a counter, and thaw lets it go on', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', 'while :; do echo x >> ~/count; done'] });
    const { sandbox, place } = started;
    sandbox.main.stdout.resume();
    await sandbox.open();
    const size = (): number => Number(execFileSync('stat', ['-c', '%s', path.join(place.sessionDir, 'home/count')]));
    while (!existsSync(path.join(place.sessionDir, 'home/count'))) await sleep(5);
    expect(await sandbox.freeze()).toMatchObject({ confirmed: true });
    const frozen = size();
    await sleep(60);
    expect(size()).toBe(frozen);
    expect(await sandbox.thaw()).toMatchObject({ confirmed: true });
    while (size() === frozen) await sleep(5);
    expect(size()).toBeGreaterThan(frozen);
  });
});

describe('teardown', () => {
  it('leaves the proposal and nothing else, and says what it did', async () => {
    await using started = await start({ command: ['/bin/bash', '-c', 'echo new > file; echo x > ~/secret'] });
    const { sandbox, place } = started;
    const all = collect(sandbox.main);
    await sandbox.open();
    await all;
    const items = await sandbox.teardown();
    expect(items.every((item) => item.ok)).toBe(true);
    expect(await sandbox.teardown()).toBe(items);
    expect(existsSync(path.join(place.sessionDir, 'upper/file'))).toBe(true);
    for (const gone of ['home', 'etc', 'files']) expect(existsSync(path.join(place.sessionDir, gone))).toBe(false);
    const hierarchy = findHierarchy(true);
    for (const base of [hierarchy?.unified ?? '', ...(hierarchy?.legacy.values() ?? [])]) {
      expect(existsSync(path.join(base, 'cordon.run/test/agent', place.session))).toBe(false);
    }
  });

  it('removes a HOME that resists: folders without rights, and paths longer than any call takes', async () => {
    const script = `mkdir -p ~/closed/inner && chmod 0 ~/closed
cd ~; name=$(printf 'd%.0s' $(seq 200)); for i in $(seq 40); do mkdir $name && cd $name || exit 1; done; echo deep`;
    await using started = await start({ command: ['/bin/bash', '-c', script] });
    const all = collect(started.sandbox.main);
    await started.sandbox.open();
    expect((await all).stdout).toBe('deep\n');
    expect((await started.sandbox.teardown()).filter((item) => !item.ok)).toEqual([]);
  });

  it('sweep ends what an earlier supervisor left, by the names alone', async () => {
    using place = new Place();
    const hierarchy = findHierarchy(true);
    if (hierarchy === null) throw new Error('no writable cgroup v2 hierarchy');
    const names = { tenant: 'test', agent: 'agent', session: place.session };
    const cgroup = new SessionCgroup(hierarchy, names);
    cgroup.create({ cpuMillis: 1000, memoryBytes: 1 << 28, pidsMax: 10, diskBytes: 1, openFilesMax: 64 });
    const { spawn } = await import('node:child_process');
    const left = spawn('/bin/sh', ['-c', `echo $$ > ${cgroup.unified}/cgroup.procs; sleep 1000 & echo in; wait`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await said(left.stdout, 'in');
    expect(cgroup.processes()).toBe(2);
    const items = await driver().sweep(names);
    expect(items.every((item) => item.ok)).toBe(true);
    expect(existsSync(cgroup.unified)).toBe(false);
    expect(await driver().sweep(names)).toEqual(expect.arrayContaining([expect.objectContaining({ ok: true })]));
  });
});

function pidsOf(uid: number): string[] {
  try {
    return execFileSync('pgrep', ['-u', String(uid)], { encoding: 'utf8' })
      .trim()
      .split('\n');
  } catch {
    return [];
  }
}
