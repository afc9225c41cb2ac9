import type { ChangeKind } from '@cordon/protocol';
import type { Beneath } from './beneath.ts';
import { type HostObject, listHost, lookUpHost, summarizeLink } from './host.ts';
import { comparePaths, isBelow, parentOf, type RawPath, splitPath } from './path.ts';
import { isGitTrap, isProtectedPath } from './protected.ts';
import { checkTarget } from './symlink.ts';
import type { TreeEntry } from './tree.ts';

/** One step from what the host has to what the agent left. Pure reading: nothing here writes. */
export interface PlannedChange {
  readonly path: RawPath;
  readonly kind: ChangeKind;
  readonly before: HostObject | null;
  /** In the upper layer; null for a deletion. */
  readonly entry: TreeEntry | null;
  readonly after: string | null;
  readonly protected: boolean;
  readonly refused: string | null;
}

export interface ProposalFacts {
  readonly entries: readonly TreeEntry[];
  readonly workspace: Beneath;
  readonly workspacePath: string;
  /** When the session began, by the clock of the file system: what the host changed after it is a conflict. */
  readonly beganNs: bigint;
  /** Literal paths beside the table. */
  readonly protectedPaths: readonly string[];
  /** Summaries of what earlier applies of this session left at a path; those changes are not the host's. */
  readonly applied: ReadonlyMap<string, string>;
}

/** All changes, parents first; a path whose type changed has its `delete` before its creation. */
export function planChanges(facts: ProposalFacts): PlannedChange[] {
  return new Planner(facts).run();
}

class Planner {
  readonly #facts: ProposalFacts;
  readonly #upper: ReadonlyMap<string, TreeEntry>;
  /** How many names in the upper layer share an inode; more links than names means one lies elsewhere. */
  readonly #names: ReadonlyMap<string, number>;
  readonly #changes: PlannedChange[] = [];

  constructor(facts: ProposalFacts) {
    this.#facts = facts;
    this.#upper = new Map(facts.entries.map((entry) => [entry.path, entry]));
    const names = new Map<string, number>();
    for (const entry of facts.entries) names.set(entry.inode, (names.get(entry.inode) ?? 0) + 1);
    this.#names = names;
  }

  run(): PlannedChange[] {
    for (const entry of this.#facts.entries) this.#compare(entry);
    return this.#changes.sort((a, b) => comparePaths(a.path, b.path));
  }

  #compare(entry: TreeEntry): void {
    const host = lookUpHost(this.#facts.workspace, entry.path);
    if (entry.type === 'whiteout') {
      if (host !== null) this.#delete(entry.path, host);
    } else if (entry.type === 'folder') {
      this.#compareFolder(entry, host);
    } else {
      this.#compareLeaf(entry, host);
    }
  }

  #compareFolder(entry: TreeEntry, host: HostObject | null): void {
    if (host?.type === 'folder') {
      if (entry.opaque) this.#deleteHidden(entry.path);
      const same = (entry.mode & 0o777) === (host.mode & 0o777);
      if (!same || this.#flaw(entry) !== null) this.#add(entry, 'mode', host, 'folder');
      return;
    }
    if (host !== null) this.#delete(entry.path, host);
    this.#add(entry, 'directory', null, 'folder');
  }

  #compareLeaf(entry: TreeEntry, host: HostObject | null): void {
    const after = entry.type === 'symlink' ? summarizeLink(entry.target) : entry.digest;
    if (host?.type === 'folder') {
      this.#delete(entry.path, host);
      this.#add(entry, entry.type === 'symlink' ? 'symlink' : 'create', null, after);
    } else if (entry.type === 'symlink') {
      if (host?.summary !== after) this.#add(entry, 'symlink', host, after);
    } else if (host?.type === 'file' && host.summary === after) {
      if (((entry.mode ^ host.mode) & 0o7777) !== 0) this.#add(entry, 'mode', host, after);
    } else {
      this.#add(entry, host === null ? 'create' : 'modify', host, after);
    }
  }

  #add(entry: TreeEntry, kind: ChangeKind, before: HostObject | null, after: string | null): void {
    const isFolder = entry.type === 'folder';
    const refused = this.#flaw(entry) ?? this.#conflict(entry.path, before);
    this.#changes.push({
      path: entry.path,
      kind,
      before,
      entry,
      after,
      protected: this.#isProtected(entry.path, isFolder),
      refused,
    });
  }

  /** Each file below is a change of its own: protected ones need their names, changed ones are conflicts. */
  #delete(path: RawPath, host: HostObject): void {
    const isFolder = host.type === 'folder';
    let refused = this.#conflict(path, host);
    if (isFolder) {
      const inside = listHost(this.#facts.workspace, path);
      if (inside === null) refused = 'a folder of the host that cannot be read here (another file system, say)';
      for (const child of inside ?? []) this.#deleteChild(child);
    }
    this.#changes.push({
      path,
      kind: 'delete',
      before: host,
      entry: null,
      after: null,
      protected: this.#isProtected(path, isFolder),
      refused,
    });
  }

  #deleteChild(path: RawPath): void {
    const host = lookUpHost(this.#facts.workspace, path);
    if (host !== null) this.#delete(path, host);
  }

  /** An opaque folder hides what the host has below it, except what the upper layer has again. */
  #deleteHidden(path: RawPath): void {
    for (const child of listHost(this.#facts.workspace, path) ?? []) {
      if (!this.#upper.has(child)) this.#deleteChild(child);
    }
  }

  /** Why an entry can never be applied, whatever the host has. */
  #flaw(entry: TreeEntry): string | null {
    if (entry.redirect) return 'an overlay redirect: its content is not what it seems';
    if (entry.unreadable) return 'it could not be read';
    if (entry.notEntered) return 'nested too deeply, or another file system';
    // Staged content has such names; one of the agent's would stop every later apply, or be cleared away as ours.
    if (splitPath(entry.path).some((name) => name.startsWith('.cordon-'))) return 'a name that Cordon uses itself';
    if (entry.type === 'folder') return null;
    if (entry.type === 'symlink') return checkTarget(entry.path, entry.target, this.#facts.workspacePath);
    if (entry.type !== 'file') return `a special file (${entry.type})`;
    if (entry.unhashed) return 'over the size that can be applied';
    if ((entry.mode & 0o6000) !== 0) return 'set-user-ID or set-group-ID bit';
    if (entry.nlink > (this.#names.get(entry.inode) ?? 0)) return 'a hard link to something outside the proposal';
    return null;
  }

  #conflict(path: RawPath, host: HostObject | null): string | null {
    const applied = this.#facts.applied.get(path);
    if (host === null) return null;
    if (host.type === 'other') return 'a special file of the host';
    if (host.type === 'folder' || host.ctimeNs <= this.#facts.beganNs || applied === host.summary) {
      return (host.mode & 0o6000) !== 0 && host.type === 'file' ? 'the file of the host has a set-user-ID bit' : null;
    }
    return 'changed on the host since the session began';
  }

  #isProtected(path: RawPath, isFolder: boolean): boolean {
    const exists = (one: string): boolean => {
      const entry = this.#upper.get(one);
      return entry === undefined
        ? lookUpHost(this.#facts.workspace, one as RawPath, false) !== null
        : entry.type !== 'whiteout';
    };
    return isProtectedPath(path, this.#facts.protectedPaths) || isGitTrap(path, isFolder, exists);
  }
}

/** Does a person's choice of paths (each a file, or a folder with all in it) cover this one? */
export function isChosen(path: RawPath, chosen: readonly RawPath[] | null): boolean {
  return chosen === null || chosen.some((one) => path === one || isBelow(path, one));
}

/** The folder in which a folder's contents can be told as one line: none of its parents is new too. */
export function isTopOfNew(path: RawPath, fresh: ReadonlySet<string>): boolean {
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) if (fresh.has(folder)) return false;
  return fresh.has(path);
}
