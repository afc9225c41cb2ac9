import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '@cordon/protocol';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { findHierarchy, type Hierarchy, missingControllers } from '../../src/cgroup/hierarchy.ts';
import { SessionCgroup } from '../../src/cgroup/session-cgroup.ts';

const names = { tenant: 'tenant', agent: 'agent', session: 'session' };
const resources = { cpuMillis: 1500, memoryBytes: 1 << 28, pidsMax: 10, diskBytes: 1, openFilesMax: 64 };
const scratchBase = '/var/tmp/cordon-cgroup-';
const scratch = mkdtempSync(scratchBase);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// The kernel's folders come with their files, and only they can be opened.
vi.mock(import('node:fs'), async (load) => {
  const fs = await load();
  const mkdirSync = ((folder: string, options?: { recursive: true }) => {
    const made = fs.mkdirSync(folder, options);
    if (!folder.startsWith(scratchBase) || !folder.endsWith('session')) return made;
    for (const file of ['cgroup.kill', 'cgroup.freeze', 'cgroup.events', 'cpu.max']) {
      fs.writeFileSync(path.join(folder, file), '');
    }
    return made;
  }) as typeof fs.mkdirSync;
  return { ...fs, mkdirSync };
});

/**
 * Version 2 alone, as folders: what is written where is the kernel's interface, whoever keeps the files. A plain file
 * that is held open keeps what it can of every write.
 */
function pretend(name: string, delegated: boolean): Hierarchy {
  const unified = path.join(scratch, name);
  mkdirSync(unified);
  writeFileSync(path.join(unified, 'cgroup.procs'), delegated ? '41\n42\n' : '1\n');
  return { unified, unifiedControllers: new Set(['cpu', 'io', 'memory', 'pids']), legacy: new Map(), delegated };
}

function read(hierarchy: Hierarchy, ...parts: string[]): string {
  return readFileSync(path.join(hierarchy.unified, ...parts), 'utf8');
}

describe('version 2 alone', () => {
  it('has its controllers handed down to the session, and its limits there', () => {
    const hierarchy = pretend('root', false);
    const cgroup = new SessionCgroup(hierarchy, names);
    cgroup.create(resources);
    for (const above of [[], ['cordon.run'], ['cordon.run', 'tenant'], ['cordon.run', 'tenant', 'agent']]) {
      expect(read(hierarchy, ...above, 'cgroup.subtree_control')).toBe('+cpu +memory +pids +io');
    }
    const own = ['cordon.run', 'tenant', 'agent', 'session'];
    expect(existsSync(path.join(hierarchy.unified, ...own, 'cgroup.subtree_control'))).toBe(false);
    expect(read(hierarchy, ...own, 'memory.max')).toBe(String(1 << 28));
    expect(read(hierarchy, ...own, 'pids.max')).toBe('14');
    expect(read(hierarchy, ...own, 'cpu.max')).toBe('150000 100000');
    expect(cgroup.tasks).toEqual([]);
    cgroup.kill();
    expect(read(hierarchy, ...own, 'cgroup.kill')).toBe('1');
    expect(read(hierarchy, ...own, 'cpu.max')).toMatch(/^max 100000/);
  });

  it('lifts the quota for a freeze and puts it back', async () => {
    const hierarchy = pretend('freeze', false);
    const cgroup = new SessionCgroup(hierarchy, names);
    cgroup.create(resources);
    cgroup.freeze(true);
    expect(read(hierarchy, 'cordon.run/tenant/agent/session/cpu.max')).toMatch(/^max 100000/);
    writeFileSync(path.join(cgroup.unified, 'cgroup.events'), 'populated 1\nfrozen 1\n');
    expect(await cgroup.settled('frozen', '1', systemClock)).toBe(true);
    expect(read(hierarchy, 'cordon.run/tenant/agent/session/cpu.max')).toMatch(/150000 100000$/);
  });

  it("moves an ordinary user's own processes out of the way", () => {
    const hierarchy = pretend('delegated', true);
    new SessionCgroup(hierarchy, names).create(resources);
    expect(read(hierarchy, 'cordon.supervisor/cgroup.procs')).toBe('42');
  });

  it('says so when a stop does not come about', async () => {
    const hierarchy = pretend('stuck', false);
    const cgroup = new SessionCgroup(hierarchy, names);
    cgroup.create(resources);
    writeFileSync(path.join(cgroup.unified, 'cgroup.events'), 'populated 1\nfrozen 0\n');
    let now = 0;
    const clock = { now: () => 0, monotonic: () => (now += 4000) };
    expect(await cgroup.settled('populated', '0', clock)).toBe(false);
    expect(await cgroup.settled('frozen', '1', clock)).toBe(false);
  });
});

describe('this host', () => {
  it('gives a root supervisor every controller that a session needs', () => {
    const hierarchy = findHierarchy(true);
    if (hierarchy === null) throw new Error('no writable cgroup v2 hierarchy: see `cordon doctor`');
    expect(missingControllers(hierarchy)).toEqual([]);
  });

  it('a session that exists is not taken over, and nothing of a failed start stays', () => {
    const hierarchy = findHierarchy(true);
    if (hierarchy === null) throw new Error('no writable cgroup v2 hierarchy: see `cordon doctor`');
    const own = { ...names, session: `cgroup-test-${process.pid}` };
    const cgroup = new SessionCgroup(hierarchy, own);
    const impossible = { ...resources, memoryBytes: Number.NaN };
    expect(() => cgroup.create(impossible)).toThrow(expect.objectContaining({ code: 'layer-missing' }) as Error);
    expect(existsSync(cgroup.unified)).toBe(false);
    mkdirSync(cgroup.unified, { recursive: true });
    expect(() => cgroup.create(resources)).toThrow(expect.objectContaining({ code: 'start-failed' }) as Error);
    return cgroup.remove();
  });
});
