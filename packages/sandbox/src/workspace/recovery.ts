import { readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { Beneath } from './beneath.ts';
import { describePlace } from './host.ts';
import type { RawPath } from './path.ts';
import { readRecord, removeRecord, writeRecord } from './record.ts';

const file = 'applying.json';

interface ApplyJournal {
  readonly prefix: string;
  readonly folders: readonly RawPath[];
  /** What was set aside, and under which name. */
  readonly trash: readonly (readonly [RawPath, string])[];
}

/** Before the first write of an apply: which folders may hold temporary names until {@link endApply}. */
export function beginApply(sessionDir: string, journal: ApplyJournal): void {
  writeRecord(sessionDir, file, journal);
}

export function endApply(sessionDir: string): void {
  removeRecord(sessionDir, file);
}

/** After an apply that was killed half-way: what was set aside returns, temporary files go. What was renamed stays. */
export function recoverApply(sessionDir: string, workspace: string): void {
  const journal = readRecord(sessionDir, file) as ApplyJournal | null;
  if (journal === null) return;
  using tree = new Beneath(workspace);
  for (const [path, aside] of journal.trash) {
    tree.at(path, (place) => {
      const kept = { ...place, path: place.beside(aside) };
      if (describePlace(kept, false) === null) return;
      // The empty folder that came in its place goes; one that was filled stays, and what was set aside with it.
      if (describePlace(place, false)?.type === 'folder') quietly(() => rmdirSync(place.path));
      if (describePlace(place, false) === null) renameSync(kept.path, place.path);
    });
  }
  const kept = new Set(journal.trash.map(([, aside]) => aside));
  for (const folder of journal.folders) removeTemporaries(tree, folder, journal.prefix, kept);
  endApply(sessionDir);
}

function removeTemporaries(tree: Beneath, folder: RawPath, prefix: string, kept: ReadonlySet<string>): void {
  tree.at((folder === '' ? 'x' : `${folder}/x`) as RawPath, (place) => {
    for (const name of readdirSync(`/proc/self/fd/${place.folder}`)) {
      if (name.startsWith(prefix) && !kept.has(name)) quietly(() => unlinkSync(place.beside(name)));
    }
  });
}

function quietly(step: () => void): void {
  try {
    step();
  } catch {
    // A folder that is not empty, or a name that is gone already: both are fine here.
  }
}
