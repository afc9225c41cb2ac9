import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';

/** Where this process may make cgroups, and which controllers limit there. */
export interface Hierarchy {
  /** Version 2: kill, freeze, and (unless hybrid) the limits. */
  readonly unified: string;
  readonly unifiedControllers: ReadonlySet<string>;
  /** Version 1 controllers beside it (hybrid), by name. */
  readonly legacy: ReadonlyMap<string, string>;
  /** The cgroup was delegated to an ordinary user: its own processes must move out of it before it can have limits. */
  readonly delegated: boolean;
}

/** What a session is limited by; without one of them the layer `cgroups` is not there. */
export const neededControllers = ['cpu', 'memory', 'pids'] as const;
export type NeededController = (typeof neededControllers)[number];

interface CgroupMount {
  readonly at: string;
  readonly root: string;
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
}

/** Null without a writable version 2 hierarchy: then nothing could be killed as a whole. */
export function findHierarchy(isRoot: boolean): Hierarchy | null {
  const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  const own = parseOwn(readFileSync('/proc/self/cgroup', 'utf8'));
  const unifiedMount = mounts.find((mount) => mount.version === 2);
  if (unifiedMount === undefined) return null;
  // Root builds below the root of what it sees, so that its sessions do not end with the unit it was started in.
  const unified = isRoot ? unifiedMount.at : within(unifiedMount, own.get('') ?? '/');
  if (!isWritable(unified)) return null;
  const controllers = readFileSync(path.join(unified, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
  const legacy = new Map<string, string>();
  for (const name of neededControllers) {
    const mount = mounts.find((candidate) => candidate.version === 1 && candidate.controllers.includes(name));
    if (mount === undefined) continue;
    const folder = isRoot ? mount.at : within(mount, own.get(name) ?? '/');
    if (isWritable(folder)) legacy.set(name, folder);
  }
  return { unified, unifiedControllers: new Set(controllers), legacy, delegated: !isRoot };
}

export function missingControllers(hierarchy: Hierarchy): NeededController[] {
  return neededControllers.filter((name) => !hierarchy.legacy.has(name) && !hierarchy.unifiedControllers.has(name));
}

function within(mount: CgroupMount, cgroup: string): string {
  return path.join(mount.at, path.relative(mount.root, cgroup));
}

/** Lines of proc_pid_mountinfo(5): …root at options - type source superOptions. */
function parseMounts(text: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    const [, , , root, at] = before?.split(' ') ?? [];
    const [type, , options] = after?.split(' ') ?? [];
    if (root === undefined || at === undefined || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    mounts.push({ at, root, version: type === 'cgroup2' ? 2 : 1, controllers: options?.split(',') ?? [] });
  }
  return mounts;
}

/** Lines `id:controllers:path`; version 2 has no controllers. */
function parseOwn(text: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    for (const name of controllers?.split(',') ?? []) own.set(name, rest.join(':'));
  }
  return own;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    accessSync(path.join(folder, 'cgroup.procs'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
