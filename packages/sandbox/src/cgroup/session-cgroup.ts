import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, CordonError, type Resources, type SessionStats, type TeardownItem } from '@cordon/protocol';
import type { SessionNames } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import { HeldFile } from './held-file.ts';
import type { Hierarchy } from './hierarchy.ts';

const root = 'cordon.run';
const periodUs = 100_000;

/**
 * One session's cgroups: the same path `cordon.run/<tenant>/<agent>/<session>` in every hierarchy, so that an agent, a
 * tenant or everything is one write. Owns the folders; nothing but {@link remove} takes them away.
 */
export class SessionCgroup {
  readonly #hierarchy: Hierarchy;
  readonly #names: SessionNames;
  readonly #kill: HeldFile;
  readonly #freeze: HeldFile;
  readonly #events: HeldFile;
  /** Null where no hierarchy limits the processor. */
  readonly #quotaFile: HeldFile | null;
  #quota: string | null = null;

  constructor(hierarchy: Hierarchy, names: SessionNames) {
    this.#hierarchy = hierarchy;
    this.#names = names;
    this.#kill = new HeldFile(path.join(this.unified, 'cgroup.kill'), 'write');
    this.#freeze = new HeldFile(path.join(this.unified, 'cgroup.freeze'), 'write');
    this.#events = new HeldFile(path.join(this.unified, 'cgroup.events'), 'read');
    const cpu = this.#controllerFolder('cpu');
    const quota = hierarchy.legacy.has('cpu') ? 'cpu.cfs_quota_us' : 'cpu.max';
    this.#quotaFile = cpu === null ? null : new HeldFile(path.join(cpu, quota), 'write');
  }

  get unified(): string {
    return this.#folder(this.#hierarchy.unified);
  }

  /** `tasks` files of version 1, through which a process moves itself. */
  get tasks(): string[] {
    return [...new Set(this.#hierarchy.legacy.values())].map((base) => path.join(this.#folder(base), 'tasks'));
  }

  /** @throws CordonError `layer-missing`; `start-failed` when there is one of this name, which then stays as it is */
  create(resources: Resources): void {
    if (this.#bases().some((base) => existsSync(this.#folder(base)))) {
      const message = `a cgroup of session ${this.#names.session} exists: it runs, or was not swept`;
      throw new CordonError<SandboxErrorCode>('start-failed', message);
    }
    try {
      if (this.#hierarchy.delegated) this.#makeRoom();
      for (const base of this.#bases()) mkdirSync(this.#folder(base), { recursive: true });
      this.#enableControllers();
      this.#limit(resources);
      for (const file of this.#held()) file.hold();
    } catch (cause) {
      this.#release();
      for (const base of this.#bases()) this.#removeEmpty(base);
      throw new CordonError<SandboxErrorCode>('layer-missing', `cgroups: ${String((cause as Error).message)}`, {
        cause,
        expose: true,
        nextSteps: ['cordon doctor'],
      });
    }
  }

  /** Everything inside, at once; also what is frozen. */
  kill(): void {
    this.#kill.write('1');
    // A CPU quota delays dying (46 spinning processes at 1 % of a core: 695 ms instead of 3).
    this.#lift();
  }

  freeze(on: boolean): void {
    this.#freeze.write(on ? '1' : '0');
    if (on) this.#lift();
    else this.#restore();
  }

  /** Waits for `frozen` or `populated` to be what it should be. False after the deadline. */
  async settled(event: 'frozen' | 'populated', value: '0' | '1', clock: Clock): Promise<boolean> {
    const deadline = clock.monotonic() + limits.stopTimeoutMs;
    while (this.#event(event) !== value) {
      if (clock.monotonic() >= deadline) return false;
      await sleep(limits.stopPollMs);
    }
    if (event === 'frozen' && value === '1') this.#restore();
    return true;
  }

  /** Processes inside, ours included. Who can open nothing more to count them knows only whether there are any. */
  processes(): number {
    if (this.#event('populated') === '0') return 0;
    try {
      return count(this.#folders(this.unified));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EMFILE' || code === 'ENFILE') return 1;
      throw error;
    }
  }

  stats(): SessionStats {
    const memory = this.#read('memory', ['memory.usage_in_bytes', 'memory.current']);
    const usage = /^usage_usec (\d+)$/m.exec(readIf(path.join(this.unified, 'cpu.stat')) ?? '')?.[1];
    return {
      processes: this.processes(),
      memoryBytes: Number(memory ?? 0),
      cpuMs: Math.round(Number(usage ?? 0) / 1000),
    };
  }

  /** Also the agent's and the tenant's folders, once they are empty; another session may still be in them. */
  async remove(): Promise<TeardownItem[]> {
    this.#release();
    const items: TeardownItem[] = [];
    for (const base of this.#bases()) items.push(await this.#removeBelow(base));
    return items;
  }

  async #removeBelow(base: string): Promise<TeardownItem> {
    const folder = this.#folder(base);
    const item = `cgroup ${folder}`;
    for (let attempt = 1; ; attempt++) {
      try {
        for (const below of this.#folders(folder).reverse()) rmdirSync(below);
        this.#removeEmpty(base);
        return { item, how: 'removed', ok: true };
      } catch (error) {
        // A process that was just killed may still be on its way out of a version 1 hierarchy.
        if (attempt === limits.removeAttemptsMax)
          return { item, how: (error as Error).message, ok: !existsSync(folder) };
        await sleep(limits.stopPollMs * attempt);
      }
    }
  }

  /** The session's folder and the agent's, the tenant's and ours above it, as far as nobody else is in them. */
  #removeEmpty(base: string): void {
    const { tenant, agent, session } = this.#names;
    for (const parts of [[tenant, agent, session], [tenant, agent], [tenant], []]) {
      try {
        rmdirSync(path.join(base, root, ...parts));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
      }
    }
  }

  #held(): HeldFile[] {
    return [this.#kill, this.#freeze, this.#events, ...(this.#quotaFile === null ? [] : [this.#quotaFile])];
  }

  #release(): void {
    for (const file of this.#held()) file.release();
  }

  #bases(): string[] {
    return [...new Set([this.#hierarchy.unified, ...this.#hierarchy.legacy.values()])];
  }

  #folder(base: string): string {
    const { tenant, agent, session } = this.#names;
    return path.join(base, root, tenant, agent, session);
  }

  /** The folder and all below it: a confined program cannot make any, but one that a user runs as root may. */
  #folders(folder: string): string[] {
    if (!existsSync(folder)) return [];
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [folder, ...below.flatMap((entry) => this.#folders(path.join(folder, entry.name)))];
  }

  /** Version 2 allows no limits below a cgroup that holds processes itself: the user's own move into a leaf. */
  #makeRoom(): void {
    const leaf = path.join(this.#hierarchy.unified, 'cordon.supervisor');
    const processes = readFileSync(path.join(this.#hierarchy.unified, 'cgroup.procs'), 'utf8').trim();
    if (processes === '' || this.#hierarchy.unifiedControllers.size === 0) return;
    mkdirSync(leaf, { recursive: true });
    for (const pid of processes.split('\n')) writeFileSync(path.join(leaf, 'cgroup.procs'), pid);
  }

  #enableControllers(): void {
    const wanted = ['cpu', 'memory', 'pids', 'io'].filter(
      (name) => this.#hierarchy.unifiedControllers.has(name) && !this.#hierarchy.legacy.has(name),
    );
    if (wanted.length === 0) return;
    const { tenant, agent } = this.#names;
    for (const parts of [[], [root], [root, tenant], [root, tenant, agent]]) {
      const file = path.join(this.#hierarchy.unified, ...parts, 'cgroup.subtree_control');
      writeFileSync(file, wanted.map((name) => `+${name}`).join(' '));
    }
  }

  #limit(resources: Resources): void {
    const quota = Math.max(1000, Math.floor((resources.cpuMillis * periodUs) / 1000));
    const memory = String(resources.memoryBytes);
    const pids = String(resources.pidsMax + limits.ownProcesses);
    this.#set('pids', { 'pids.max': pids });
    const legacyMemory = this.#hierarchy.legacy.has('memory');
    this.#set('memory', legacyMemory ? { 'memory.limit_in_bytes': memory } : { 'memory.max': memory });
    // Without swap accounting there is no such file, and then no swap that a session could flee to is counted.
    const swap: Record<string, string> = legacyMemory
      ? { 'memory.memsw.limit_in_bytes': memory }
      : { 'memory.swap.max': '0', 'memory.oom.group': '1' };
    this.#setIfThere('memory', swap);
    this.#quota = this.#hierarchy.legacy.has('cpu') ? String(quota) : `${quota} ${periodUs}`;
    if (this.#restore() === false) {
      throw new CordonError<SandboxErrorCode>('layer-missing', 'this kernel has no quota of processor time');
    }
  }

  /** False: there is no such file. */
  #restore(): boolean | undefined {
    return this.#quota === null ? undefined : this.#quotaFile?.write(this.#quota);
  }

  #lift(): void {
    this.#quotaFile?.write(this.#hierarchy.legacy.has('cpu') ? '-1' : `max ${periodUs}`);
  }

  #controllerFolder(controller: string): string | null {
    const base = this.#hierarchy.legacy.get(controller);
    if (base !== undefined) return this.#folder(base);
    return this.#hierarchy.unifiedControllers.has(controller) ? this.unified : null;
  }

  #set(controller: string, values: Readonly<Record<string, string>>): void {
    const folder = this.#controllerFolder(controller);
    if (folder === null) return;
    for (const [file, value] of Object.entries(values)) writeFileSync(path.join(folder, file), value);
  }

  #setIfThere(controller: string, values: Readonly<Record<string, string>>): void {
    const folder = this.#controllerFolder(controller);
    if (folder === null) return;
    for (const [file, value] of Object.entries(values)) {
      if (existsSync(path.join(folder, file))) this.#set(controller, { [file]: value });
    }
  }

  #read(controller: string, files: readonly string[]): string | null {
    const folder = this.#controllerFolder(controller);
    if (folder === null) return null;
    return files.map((file) => readIf(path.join(folder, file))).find((text) => text !== null) ?? null;
  }

  #event(name: string): string {
    const text = this.#events.read();
    // Gone means that nobody is inside; frozen is then neither true nor to be waited for.
    if (text === null) return name === 'populated' ? '0' : '1';
    return new RegExp(`^${name} ([01])$`, 'm').exec(text)?.[1] ?? '';
  }
}

function count(folders: readonly string[]): number {
  return folders
    .map((folder) => readIf(path.join(folder, 'cgroup.procs'))?.split('\n').filter(Boolean).length ?? 0)
    .reduce((sum, processes) => sum + processes, 0);
}

function readIf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENODEV') return null;
    throw error;
  }
}
