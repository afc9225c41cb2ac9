import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { findHierarchy } from '../../src/cgroup/hierarchy.ts';
import { driver, type Given, Place, requireHost, specFor } from './harness.ts';

beforeAll(requireHost);

const stubborn = `trap '' TERM INT HUP QUIT
for i in 1 2 3 4 5; do setsid bash -c "trap '' TERM INT HUP; while :; do sleep 100; done" & done
echo up; wait`;

interface Supervised extends Disposable {
  readonly child: ChildProcess;
  readonly place: Place;
  readonly uid: number;
}

async function supervise(given: Given): Promise<Supervised> {
  const place = new Place();
  const spec = specFor(place, given);
  const child = fork(path.join(import.meta.dirname, 'fixtures/supervisor.ts'), [JSON.stringify(spec)], {
    execArgv: ['--conditions=cordon-source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const messages: unknown[] = [];
  child.on('message', (message) => messages.push(message));
  while (!JSON.stringify(messages).includes('up\\n') || !JSON.stringify(messages).includes('"open":true')) {
    if (child.exitCode !== null) throw new Error('the supervisor has ended');
    await sleep(10);
  }
  return {
    child,
    place,
    uid: spec.uid ?? -1,
    [Symbol.dispose]() {
      child.kill('SIGKILL');
      place[Symbol.dispose]();
    },
  };
}

function alive(uid: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return status.includes(`Uid:\t${uid}\t`) && !/State:\s[ZX]/.test(status);
    } catch {
      return false;
    }
  });
}

/** Polls; a process that has its SIGKILL needs a moment to be gone. */
async function gone(uid: number): Promise<string[]> {
  for (let look = 0; look < 400 && alive(uid).length > 0; look++) await sleep(5);
  return alive(uid);
}

function guardOf(supervisor: number): number {
  return Number(execFileSync('pgrep', ['-P', String(supervisor), '-f', 'launch guard'], { encoding: 'utf8' }).trim());
}

describe('the sandbox ends', () => {
  it('when its supervisor is killed; what is left are empty cgroups, which a sweep removes', async () => {
    using supervised = await supervise({ command: ['/bin/bash', '-c', stubborn] });
    const { place, uid, child } = supervised;
    expect(alive(uid).length).toBeGreaterThan(8);
    const namespaces = new Set(alive(uid).map((pid) => readlinkSync(`/proc/${pid}/ns/net`)));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await gone(uid)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(place.base);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        expect(namespaces.has(readlinkSync(`/proc/${pid}/ns/net`))).toBe(false);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      }
    }
    const unified = findHierarchy(true)?.unified ?? '';
    const folder = path.join(unified, 'cordon.run/test/agent', place.session);
    expect(readFileSync(path.join(folder, 'cgroup.procs'), 'utf8')).toBe('');
    const items = await driver().sweep({ tenant: 'test', agent: 'agent', session: place.session });
    expect(items.every((item) => item.ok)).toBe(true);
    expect(existsSync(folder)).toBe(false);
  });

  it('when its supervisor is killed while the guard is stopped', async () => {
    using supervised = await supervise({ command: ['/bin/bash', '-c', stubborn] });
    process.kill(guardOf(supervised.child.pid ?? -1), 'SIGSTOP');
    supervised.child.kill('SIGKILL');
    expect(await gone(supervised.uid)).toEqual([]);
    await driver().sweep({ tenant: 'test', agent: 'agent', session: supervised.place.session });
  });

  it('when its guard is killed', async () => {
    using supervised = await supervise({ command: ['/bin/bash', '-c', stubborn] });
    process.kill(guardOf(supervised.child.pid ?? -1), 'SIGKILL');
    expect(await gone(supervised.uid)).toEqual([]);
    supervised.child.kill('SIGKILL');
    await driver().sweep({ tenant: 'test', agent: 'agent', session: supervised.place.session });
  });

  it('when bubblewrap is killed, and when the launcher is', async () => {
    for (const name of ['bwrap --args', 'fd/7 launch']) {
      using supervised = await supervise({ command: ['/bin/bash', '-c', stubborn] });
      const pid = execFileSync('pgrep', ['-o', '-u', String(supervised.uid), '-f', name], { encoding: 'utf8' }).trim();
      process.kill(Number(pid), 'SIGKILL');
      expect(await gone(supervised.uid)).toEqual([]);
      supervised.child.kill('SIGKILL');
      await driver().sweep({ tenant: 'test', agent: 'agent', session: supervised.place.session });
    }
  });
});
