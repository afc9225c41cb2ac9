import { readdirSync, readFileSync } from 'node:fs';

export type RoleName = 'control' | 'supervisor' | 'gateway' | 'workspace' | 'guard' | 'bwrap' | 'launch' | 'agent';

export interface Process {
  readonly pid: number;
  readonly parent: number;
  /** Ticks after boot at which it began: with the pid its name for ever. */
  readonly start: string;
  readonly role: RoleName;
}

interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly start: string;
  readonly words: readonly string[];
}

/** The daemon's processes by the folder in their environment, and everything below them, whatever that hides. */
export function processesBelow(folder: string): Process[] {
  const rows = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => rowOf(Number(name)) ?? []);
  const ours = new Map<number, Process>();
  for (const row of rows) {
    const role = daemonRole(row);
    if (role !== null && mentions(row.pid, folder)) ours.set(row.pid, { ...row, role });
  }
  for (let grown = true; grown; ) {
    grown = false;
    for (const row of rows) {
      if (ours.has(row.pid) || !ours.has(row.parent)) continue;
      ours.set(row.pid, { ...row, role: sandboxRole(row) });
      grown = true;
    }
  }
  return [...ours.values()];
}

function daemonRole({ words }: Row): RoleName | null {
  if (!words.some((word) => word.endsWith('cordond/dist/main.js'))) return null;
  const role = words[words.indexOf('--role') + 1];
  return words.includes('--role') ? (role as RoleName) : 'control';
}

function sandboxRole({ words }: Row): RoleName {
  const [program = '', mode] = words;
  if (program.endsWith('bwrap')) return 'bwrap';
  if (mode === 'guard') return 'guard';
  return mode === 'launch' ? 'launch' : 'agent';
}

/** Null when it is gone, or only waits for its parent to look at its status. */
export function startOf(pid: number): string | null {
  return statOf(pid)?.start ?? null;
}

function statOf(pid: number): { readonly parent: number; readonly start: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : { parent: Number(fields[1]), start: fields[19] ?? '' };
  } catch {
    return null;
  }
}

function rowOf(pid: number): Row | null {
  const stat = statOf(pid);
  if (stat === null) return null;
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    return { pid, ...stat, words };
  } catch {
    return null;
  }
}

function mentions(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${folder}/`);
  } catch {
    return false;
  }
}
