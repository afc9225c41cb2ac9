import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { supervisorLimits } from '../limits.ts';
import { Beneath } from '../workspace/beneath.ts';
import { lookUpHost } from '../workspace/host.ts';
import { parentOf, pathToText, type RawPath } from '../workspace/path.ts';
import { findProtected, findProtectedAtTop, moveToQuarantine } from '../workspace/quarantine.ts';
import { readTree, type TreeEntry } from '../workspace/tree.ts';

export interface ProtectedWatchOptions {
  readonly launch: string;
  readonly workspace: string;
  readonly quarantine: string;
  /** Literal paths beside the table. */
  readonly extra: readonly string[];
  /**
   * The host itself replaced a protected path (an editor, `git config`: written beside it and renamed). The kernel takes
   * the read-only mount away with the name, in every namespace, so the session can write the new one.
   */
  readonly onUnguarded: (path: string) => void;
  readonly onFound: (found: { readonly path: string; readonly moved: boolean; readonly to: string | null }) => void;
}

/**
 * Direct mode: no mount and no Landlock rule can forbid a *name* that does not exist yet, so protected paths that
 * appear while the session runs are moved away. Best effort: between two looks they are there.
 */
export class ProtectedWatch implements Disposable {
  readonly #options: ProtectedWatchOptions;
  readonly #workspace: Beneath;
  /**
   * What the host had before, each with the inode of its folder. A path is still the host's while that folder is the
   * same: the agent cannot replace a read-only mount, but it can rename the folder above it and build a new one.
   */
  readonly #before = new Map<string, bigint>();
  /** Inodes of those objects: the host's own file stays its own wherever its folder is moved. */
  readonly #inodes = new Set<bigint>();
  /** Could not be moved; reported once. */
  readonly #stuck = new Set<string>();
  #guarded = 0;
  /** What lies under the read-only mounts, and under those of the folders above them. */
  readonly #mounted = new Map<RawPath, bigint>();
  #covered: string[] = [];
  #uncovered: number | null = null;
  #shared: number | null = null;
  #treeKnown = false;
  #count = 0;
  #timers: ReturnType<typeof setInterval>[] = [];
  #looking = false;

  constructor(options: ProtectedWatchOptions) {
    this.#options = options;
    this.#workspace = new Beneath(options.workspace);
  }

  /**
   * What is protected and there already; the driver mounts it read-only. Waits for the whole tree for as long as a
   * start may take; after that only the top is known, and deeper files are not touched.
   */
  async begin(): Promise<string[]> {
    for (const path of this.#atTop()) this.#remember(path);
    const { launch, workspace, extra } = this.#options;
    const abort = AbortSignal.timeout(supervisorLimits.protectedScanMs);
    try {
      const { entries, cut } = await readTree(launch, 'names', workspace, abort);
      for (const path of findProtected(entries, extra)) this.#remember(path);
      this.#treeKnown = !cut;
      this.#cover(entries, cut);
    } catch {
      this.#treeKnown = false;
    }
    return this.#mountable();
  }

  /** Sockets, pipes and set-user-ID files that were there before: the driver hides or closes them. */
  get covered(): readonly string[] {
    return this.#covered;
  }

  /**
   * What a person must know of a directly bound workspace. `unguarded`: existing protected paths that stay writable, as
   * there are too many; `uncovered`: what {@link covered} leaves out; `shared`: files that also have a name outside (a
   * package manager's store, say), which no mount can part. Null: the tree could not be looked through in time.
   */
  get notice(): object {
    const shared =
      this.#shared === 0
        ? ''
        : `; ${this.#shared ?? 'an unknown number of'} files are hard links that other folders of the host share: changes reach there too, a proposal does not`;
    const detail = `protected files that appear in a directly bound workspace are moved away, and sockets of the host that were there before are hidden: best effort${shared}`;
    const unguarded = this.#before.size - this.#guarded;
    return { code: 'workspace-direct', detail, unguarded, uncovered: this.#uncovered, shared: this.#shared };
  }

  watch(): void {
    this.#timers = [
      setInterval(() => this.#lookAtTop(), supervisorLimits.quarantineTopMs).unref(),
      setInterval(() => void this.#lookAtTree(), supervisorLimits.quarantineTreeMs).unref(),
    ];
  }

  /** The last look, when nothing runs in the session any more. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#lookAtTop();
    await this.#lookAtTree();
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#workspace[Symbol.dispose]();
  }

  /** Told once for each path. Its mount is gone too when the host deleted it; what comes in its place then counts. */
  #lookAtMounts(): void {
    for (const [path, inode] of this.#mounted) {
      const now = lookUpHost(this.#workspace, path, false)?.inode;
      if (now === undefined || now === inode) continue;
      this.#mounted.delete(path);
      this.#options.onUnguarded(pathToText(path));
    }
  }

  #lookAtTop(): void {
    try {
      this.#lookAtMounts();
      this.#move(this.#atTop());
    } catch {
      // The workspace itself went away; there is nothing left that the host could run.
    }
  }

  async #lookAtTree(): Promise<void> {
    if (!this.#treeKnown || this.#looking) return;
    this.#looking = true;
    try {
      const { entries } = await readTree(this.#options.launch, 'names', this.#options.workspace);
      this.#move(findProtected(entries, this.#options.extra));
    } catch {
      // The folder cannot be read now; the next look tries again.
    } finally {
      this.#looking = false;
    }
  }

  /** As many as the driver can take; it makes the folders above each of them mounts too. */
  #mountable(): string[] {
    const mounts = new Set<string>();
    const paths: string[] = [];
    for (const path of this.#before.keys()) {
      const text = textOf(path);
      if (text === null) continue;
      const parts = path.split('/');
      const needed = parts.map((_part, i) => parts.slice(0, i + 1).join('/')).filter((one) => !mounts.has(one));
      if (mounts.size + needed.length > supervisorLimits.protectedMountsMax) continue;
      for (const one of needed) {
        mounts.add(one);
        const inode = lookUpHost(this.#workspace, one as RawPath, false)?.inode;
        if (inode !== undefined) this.#mounted.set(one as RawPath, inode);
      }
      paths.push(text);
    }
    this.#guarded = paths.length;
    return paths;
  }

  #cover(entries: readonly TreeEntry[], cut: boolean): void {
    const found = entries.filter(
      ({ type, mode }) => type === 'socket' || type === 'fifo' || (type === 'file' && (mode & 0o6000) !== 0),
    );
    const named = found.flatMap(({ path }) => textOf(path) ?? []);
    this.#covered = named.slice(0, supervisorLimits.coveredMax);
    this.#uncovered = cut ? null : found.length - this.#covered.length;
    this.#shared = cut ? null : countShared(entries);
  }

  #remember(path: RawPath): void {
    this.#before.set(path, this.#folderOf(path));
    const inode = lookUpHost(this.#workspace, path, false)?.inode;
    if (inode !== undefined) this.#inodes.add(inode);
  }

  #isOfHost(path: RawPath): boolean {
    if (this.#before.get(path) === this.#folderOf(path)) return true;
    const inode = lookUpHost(this.#workspace, path, false)?.inode;
    return inode !== undefined && this.#inodes.has(inode);
  }

  /** The top of the workspace cannot be exchanged from inside. */
  #folderOf(path: RawPath): bigint {
    const folder = parentOf(path);
    return folder === '' ? 0n : (lookUpHost(this.#workspace, folder, false)?.inode ?? -1n);
  }

  #atTop(): RawPath[] {
    const names = readdirSync(this.#options.workspace, { encoding: 'buffer' }).map(
      (name) => name.toString('latin1') as RawPath,
    );
    return findProtectedAtTop(this.#workspace, names, this.#options.extra);
  }

  #move(paths: readonly RawPath[]): void {
    for (const path of paths) {
      if (this.#stuck.has(path) || this.#isOfHost(path)) continue;
      const name = `${this.#count++}`;
      const to = join(this.#options.quarantine, name);
      const moved = moveToQuarantine(this.#workspace, path, this.#options.quarantine, name);
      if (!moved) this.#stuck.add(path);
      this.#options.onFound({ path: pathToText(path), moved, to: moved ? to : null });
    }
  }
}

/** A path as the driver takes it; null when it is no UTF-8. */
function textOf(path: string): string | null {
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return Buffer.from(text, 'utf8').toString('latin1') === path ? text : null;
}

function countShared(entries: readonly TreeEntry[]): number {
  const linked = entries.filter(({ type, nlink }) => type === 'file' && nlink > 1);
  const names = new Map<string, number>();
  for (const { inode } of linked) names.set(inode, (names.get(inode) ?? 0) + 1);
  return linked.filter(({ inode, nlink }) => nlink > (names.get(inode) ?? 0)).length;
}
