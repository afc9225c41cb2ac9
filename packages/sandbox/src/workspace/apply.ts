import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { CordonError } from '@cordon/protocol';
import { workspaceLimits } from '../limits.ts';
import { type Beneath, isFault, openPlace, type Place } from './beneath.ts';
import type { WorkspaceErrorCode } from './error.ts';
import { describePlace, type HostObject } from './host.ts';
import { parentOf, type RawPath } from './path.ts';
import { isChosen, type PlannedChange } from './proposal.ts';
import { type Owner, own, Refusal, stageFile, stageSymlink } from './stage.ts';

export interface ApplyRequest {
  readonly plan: readonly PlannedChange[];
  readonly upper: Beneath;
  readonly workspace: Beneath;
  readonly chosen: readonly RawPath[] | null;
  readonly named: readonly RawPath[];
  /** What a person was shown of each path (`before → after`); null if nobody looked while it could still change. */
  readonly shown: ReadonlyMap<string, string> | null;
  /** Prefix of temporary names; nothing else in the workspace begins with it. */
  readonly prefix: string;
  /** Writes everything on the workspace's file system to disk; for many files far quicker than one by one. */
  readonly flushAll: () => void;
  /** Called once before the first write with every folder that may then hold a temporary name. */
  readonly journal: (folders: readonly RawPath[], trash: readonly (readonly [RawPath, string])[]) => void;
}

export interface ApplyOutcome {
  readonly applied: RawPath[];
  readonly refused: { readonly path: RawPath; readonly why: string }[];
  /** What is at each applied path now. */
  readonly left: ReadonlyMap<string, string>;
}

/**
 * Two steps. *Stage* writes all new content under temporary names and makes new folders: a fault here (a full disk)
 * takes everything back. *Commit* only renames, deletes and sets modes. A single change that must not be applied is
 * refused by itself; the others go on.
 * INVARIANT: every name is used through the descriptor of a folder that was opened beneath the workspace.
 * @throws CordonError `apply-failed`
 */
export function applyPlan(request: ApplyRequest): ApplyOutcome {
  return new Applier(request).run();
}

/** What a person agreed to, as one text; {@link ApplyRequest.shown} holds these. */
export function shownAs(change: PlannedChange): string {
  return `${change.kind} ${change.before?.summary ?? '-'} ${change.after ?? '-'} ${change.entry?.mode ?? '-'}`;
}

class Applier {
  readonly #request: ApplyRequest;
  readonly #outcome: ApplyOutcome & { left: Map<string, string> } = { applied: [], refused: [], left: new Map() };
  readonly #undo: Array<() => void> = [];
  readonly #trash: Array<() => void> = [];
  readonly #owner: Owner;
  readonly #folders = new Set<string>();
  readonly #temporaries = new Map<PlannedChange, string>();
  /** A refused path: what else was planned for it does not happen either. */
  readonly #stopped = new Set<string>();
  #flushesAll = false;
  readonly #asideFor = new Set<PlannedChange>();

  constructor(request: ApplyRequest) {
    this.#request = request;
    this.#owner = request.workspace.info;
  }

  run(): ApplyOutcome {
    const accepted = this.#request.plan.filter((change) => this.#accept(change));
    this.#flushesAll = accepted.length > workspaceLimits.flushedSinglyMax;
    accepted.forEach((change, i) => {
      this.#temporaries.set(change, `${this.#request.prefix}${i}`);
    });
    this.#announce(accepted);
    try {
      for (const change of accepted) this.#each(change, () => this.#stage(change), true);
      if (this.#flushesAll) this.#request.flushAll();
    } catch (cause: unknown) {
      for (const undo of this.#undo.reverse()) attempt(undo);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new CordonError<WorkspaceErrorCode>('apply-failed', `nothing was applied: ${why}`, { cause, expose: true });
    }
    const deletions = accepted.filter((change) => change.entry === null).reverse();
    for (const change of deletions) this.#each(change, () => this.#remove(change), false);
    // Children first, so that the mode of a folder that becomes read-only is set when all in it is done.
    const rest = accepted.filter((change) => change.entry !== null).reverse();
    for (const change of rest) this.#each(change, () => this.#commit(change), false);
    // What was staged for a path whose deletion was refused takes no place; its temporary name goes.
    for (const change of rest) if (this.#stopped.has(change.path)) attempt(() => this.#removeTemporary(change));
    for (const empty of this.#trash) attempt(empty);
    if (this.#flushesAll) this.#request.flushAll();
    else for (const folder of this.#folders) this.#flush(folder);
    return this.#outcome;
  }

  #accept(change: PlannedChange): boolean {
    if (!isChosen(change.path, this.#request.chosen)) return false;
    const shown = this.#request.shown;
    let why = change.refused;
    if (why === null && change.protected && !this.#request.named.includes(change.path)) {
      why = 'the host would run this later: it is applied only when it is named';
    }
    if (why === null && shown !== null && shown.get(`${change.kind} ${change.path}`) !== shownAs(change)) {
      why = 'it changed after the proposal was shown: look at it again';
    }
    if (why !== null) this.#refuse(change, why);
    return why === null;
  }

  #announce(accepted: readonly PlannedChange[]): void {
    const becomesFolder = new Set<string>(accepted.filter((one) => one.kind === 'directory').map((one) => one.path));
    for (const change of accepted) {
      // A file or link of the host in whose place a folder comes.
      const isLeaf = change.entry === null && change.before?.type !== 'folder';
      if (isLeaf && becomesFolder.has(change.path)) this.#asideFor.add(change);
    }
    const folders = new Set(accepted.map((change) => parentOf(change.path)));
    this.#request.journal(
      [...folders],
      [...this.#asideFor].map((change) => [change.path, this.#nameOf(change)] as const),
    );
  }

  #stage(change: PlannedChange): void {
    if (change.entry === null) {
      if (this.#asideFor.has(change)) this.#setAside(change);
      return;
    }
    if (change.kind === 'mode') return;
    this.#place(change, (place) => {
      const temporary = this.#nameOf(change);
      const owner = change.before ?? this.#owner;
      if (change.kind === 'directory') {
        this.#makeFolder(place);
        this.#undo.push(() => this.#request.workspace.at(change.path, (again) => rmdirSync(again.path)));
        return;
      }
      if (change.kind === 'symlink') stageSymlink(change, place, temporary, owner);
      else stageFile(change, this.#request.upper, place, { name: temporary, owner, flush: !this.#flushesAll });
      this.#undo.push(() => this.#removeTemporary(change));
    });
  }

  /** Out of the way, not away: only the end of the commit deletes it. */
  #setAside(change: PlannedChange): void {
    const aside = this.#nameOf(change);
    this.#place(change, (place) => {
      this.#checkUnchanged(place, change.before);
      renameSync(place.path, place.beside(aside));
    });
    this.#undo.push(() =>
      this.#request.workspace.at(change.path, (place) => renameSync(place.beside(aside), place.path)),
    );
    this.#trash.push(() => this.#request.workspace.at(change.path, (place) => unlinkSync(place.beside(aside))));
  }

  #makeFolder(place: Place): void {
    try {
      mkdirSync(place.path, 0o700);
    } catch (error: unknown) {
      if (isFault(error, 'EEXIST')) throw new Refusal('something of the host is in its place');
      throw error;
    }
    const fd = openSync(place.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY);
    try {
      own(fd, this.#owner);
    } finally {
      closeSync(fd);
    }
  }

  #commit(change: PlannedChange): void {
    this.#place(change, (place) => {
      if (change.kind === 'mode' || change.kind === 'directory') {
        this.#setMode(place, change);
      } else {
        const temporary = place.beside(this.#nameOf(change));
        try {
          this.#checkUnchanged(place, change.before);
          renameSync(temporary, place.path);
        } catch (error: unknown) {
          unlinkSync(temporary);
          if (isFault(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST'))
            throw new Refusal('a folder of the host is in its place');
          throw error;
        }
      }
    });
    this.#done(change);
  }

  #remove(change: PlannedChange): void {
    const isFolder = change.before?.type === 'folder';
    this.#place(change, (place) => {
      if (this.#asideFor.has(change)) return;
      this.#checkUnchanged(place, change.before);
      try {
        if (isFolder) rmdirSync(place.path);
        else unlinkSync(place.path);
      } catch (error: unknown) {
        if (isFault(error, 'ENOTEMPTY', 'EEXIST')) throw new Refusal('something in this folder stays');
        throw error;
      }
    });
    this.#done(change);
  }

  #setMode(place: Place, change: PlannedChange): void {
    const fd = openPlace(place);
    if (fd === null) throw new Refusal('it is gone');
    try {
      const info = fstatSync(fd);
      const expected = change.entry?.type === 'folder' ? info.isDirectory() : info.isFile();
      if (!expected || (info.isFile() && (info.mode & 0o6000) !== 0)) throw new Refusal('it changed on the host');
      // Through the descriptor: a link swapped in under the name is not followed. Special bits of the host's folder stay.
      chmodSync(`/proc/self/fd/${fd}`, (info.mode & 0o7000) | ((change.entry?.mode ?? 0) & 0o777));
    } finally {
      closeSync(fd);
    }
  }

  /** The host's object is still the one that the plan compared; the instant between this and the rename is all that is left. */
  #checkUnchanged(place: Place, before: HostObject | null): void {
    const now = describePlace(place, false);
    if (before === null ? now === null : now?.type === before.type && now.inode === before.inode) {
      if (before === null || before.type === 'folder' || now?.ctimeNs === before.ctimeNs) return;
    }
    throw new Refusal('changed on the host while the proposal was applied');
  }

  /** `abort`: a fault ends everything (nothing is committed yet); later it can only be told of this one change. */
  #each(change: PlannedChange, step: () => void, abort: boolean): void {
    if (this.#stopped.has(change.path)) return;
    try {
      step();
    } catch (error: unknown) {
      if (abort && !(error instanceof Refusal)) throw error;
      this.#refuse(change, error instanceof Error ? error.message : String(error));
    }
  }

  #place(change: PlannedChange, use: (place: Place) => void): void {
    let reached = false;
    this.#request.workspace.at(change.path, (place) => {
      reached = true;
      use(place);
    });
    if (!reached) throw new Refusal('its folder is not there, or not a folder of this workspace');
    this.#folders.add(parentOf(change.path));
  }

  #removeTemporary(change: PlannedChange): void {
    this.#request.workspace.at(change.path, (place) => unlinkSync(place.beside(this.#nameOf(change))));
  }

  #nameOf(change: PlannedChange): string {
    return this.#temporaries.get(change) ?? this.#request.prefix;
  }

  #done(change: PlannedChange): void {
    this.#outcome.applied.push(change.path);
    this.#outcome.left.set(change.path, change.after ?? 'gone');
  }

  #refuse(change: PlannedChange, why: string): void {
    this.#stopped.add(change.path);
    this.#outcome.refused.push({ path: change.path, why });
  }

  /** A rename is durable when its folder is. */
  #flush(folder: string): void {
    this.#request.workspace.at((folder === '' ? 'x' : `${folder}/x`) as RawPath, (place) => {
      const fd = openSync(`/proc/self/fd/${place.folder}`, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }
}

/** Clearing up goes on with the next step whatever happens to one; `recoverApply` looks again. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // Left for the next recovery: the journal names its folder.
  }
}
