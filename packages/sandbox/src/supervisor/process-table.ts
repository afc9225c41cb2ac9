import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const namespaceKinds = ['pid', 'net', 'mnt', 'user', 'ipc', 'uts', 'cgroup'] as const;

/**
 * Processes of this session whose real, effective, saved or file-system uid is this one; read from the kernel, whoever
 * owns /proc/PID. One that is in another session's cgroup belongs to a deployment beside ours that shares the range.
 */
export function processesOf(uid: number, session: string): number[] {
  const wanted = String(uid);
  return pids().filter((pid) => {
    return uidsOf(pid).includes(wanted) && !hasEnded(pid) && !isOfAnother(pid, session);
  });
}

/**
 * Processes in a cgroup whose path holds this folder name, in any hierarchy, that run as the session (`uid`; null: as
 * ourselves) or as us. Another user can make a cgroup of any name below its own, and must not keep a session from its end.
 */
export function processesInCgroup(name: string, uid: number | null): number[] {
  const own = String(process.getuid?.() ?? -1);
  return pids().filter((pid) => {
    if (!read(`/proc/${pid}/cgroup`).includes(`/${name}`) || hasEnded(pid)) return false;
    return uidsOf(pid).some((one) => one === own || one === String(uid));
  });
}

/** `pid:[4026531836]` and the like: the namespaces of a process that are not ours. */
export function namespacesOf(pid: number): string[] {
  return namespaceKinds.flatMap((kind) => {
    const theirs = link(`/proc/${pid}/ns/${kind}`);
    return theirs === null || theirs === link(`/proc/self/ns/${kind}`) ? [] : [theirs];
  });
}

export interface NamespaceSearch {
  readonly names: readonly string[];
  /** The session they belonged to. */
  readonly session: string;
  /** Clock ticks since boot; what started later cannot be a left-over. */
  readonly startedBefore: number;
}

/**
 * Which of these namespaces a left-over process still lives in. The kernel gives a freed number to the next namespace
 * at once, so processes of another session, and those that began after this one ended, do not count.
 */
export function livingNamespaces(search: NamespaceSearch): string[] {
  if (search.names.length === 0) return [];
  const wanted = new Set(search.names);
  const found = new Set<string>();
  for (const pid of pids()) {
    const names = namespaceKinds
      .map((kind) => link(`/proc/${pid}/ns/${kind}`))
      .filter((name) => name !== null && wanted.has(name));
    if (names.length === 0 || hasEnded(pid) || Number(startTimeOf(pid)) > search.startedBefore) continue;
    if (isOfAnother(pid, search.session)) continue;
    for (const name of names) if (name !== null) found.add(name);
  }
  return [...found];
}

/** Now, as {@link startTimeOf} counts (100 ticks a second on every Linux that user space sees). */
export function ticksNow(): number {
  return Math.ceil(Number(read('/proc/uptime').split(' ')[0]) * 100);
}

/** Mount points below a folder, in our own mount namespace. */
export function mountsBelow(folder: string): string[] {
  return read('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === folder || point.startsWith(`${folder}/`));
}

/** When a process started, in clock ticks since boot: with the pid it names one process for good. */
export function startTimeOf(pid: number): string | null {
  return statOf(pid)[19] ?? null;
}

/**
 * A zombie, or a task that is on its way out of the kernel (PF_EXITING): neither runs an instruction of the agent ever
 * again. The second can take seconds, when the last user of an overlay waits for the disk.
 */
function hasEnded(pid: number): boolean {
  const [state, , , , , , flags] = statOf(pid);
  return state === undefined || state === 'Z' || state === 'X' || (Number(flags) & 0x4) !== 0;
}

/** Real, effective, saved and file-system uid. */
function uidsOf(pid: number): string[] {
  return (/^Uid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '').split('\t');
}

function isOfAnother(pid: number, session: string): boolean {
  const theirs = /\/(ses_[0-9a-z]+)/.exec(read(`/proc/${pid}/cgroup`))?.[1];
  return theirs !== undefined && theirs !== session;
}

/** Fields of /proc/PID/stat from the third on (`state`); the second may hold spaces and parentheses. */
function statOf(pid: number): string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function pids(): number[] {
  return readdirSync('/proc').flatMap((name) => (/^[0-9]+$/.test(name) ? [Number(name)] : []));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // gone since it was listed
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
