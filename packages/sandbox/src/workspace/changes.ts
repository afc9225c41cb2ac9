import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { type Change, CordonError } from '@cordon/protocol';
import { workspaceLimits } from '../limits.ts';
import { type Beneath, openForReading } from './beneath.ts';
import type { WorkspaceErrorCode } from './error.ts';
import { isBelow, pathToText, type RawPath } from './path.ts';
import { isTopOfNew, type PlannedChange } from './proposal.ts';
import { diffText } from './text-diff.ts';

/**
 * The plan as people and clients read it. One answer is bounded: first diffs are left out, then each new folder is
 * told as one line (with the digest of all in it; protected and refused parts keep their own lines), then it refuses.
 * @throws CordonError `proposal-too-large`
 */
export function toChanges(plan: readonly PlannedChange[], upper: Beneath, workspace: Beneath): Change[] {
  let changes = withDiffs(plan, upper, workspace);
  if (sizeOf(changes) > workspaceLimits.changesBytesMax) changes = plan.map((change) => toChange(change, null));
  if (sizeOf(changes) > workspaceLimits.changesBytesMax) changes = fold(plan);
  if (sizeOf(changes) > workspaceLimits.changesBytesMax) {
    throw new CordonError<WorkspaceErrorCode>(
      'proposal-too-large',
      `${plan.length} changes are more than one answer can carry`,
      {
        expose: true,
        nextSteps: ['discard the proposal, or apply folders of it by name'],
      },
    );
  }
  return changes;
}

function withDiffs(plan: readonly PlannedChange[], upper: Beneath, workspace: Beneath): Change[] {
  let files = 0;
  let bytes = 0;
  return plan.map((change) => {
    const wanted = hasText(change) && files < workspaceLimits.diffFilesMax && bytes < workspaceLimits.diffTotalBytesMax;
    const diff = wanted ? diffChange(change, upper, workspace) : null;
    files += diff === null ? 0 : 1;
    bytes += diff?.length ?? 0;
    return toChange(change, diff);
  });
}

function hasText(change: PlannedChange): boolean {
  const sizes = [change.before?.type === 'file' ? change.before.size : 0, change.entry?.size ?? 0];
  const isFile = change.entry === null ? change.before?.type === 'file' : change.entry.type === 'file';
  return isFile && change.kind !== 'mode' && sizes.every((size) => size <= workspaceLimits.diffFileBytesMax);
}

function diffChange(change: PlannedChange, upper: Beneath, workspace: Beneath): string | null {
  const before = change.before?.type === 'file' ? readSmall(workspace, change.path) : null;
  const after = change.entry === null ? null : readSmall(upper, change.path);
  // A file that cannot be read now has no diff, rather than the diff of an empty one.
  if ((change.before?.type === 'file' && before === null) || (change.entry !== null && after === null)) return null;
  return diffText(pathToText(change.path), before, after);
}

function readSmall(tree: Beneath, path: RawPath): Buffer | null {
  try {
    return tree.at(path, (place) => {
      const fd = openForReading(place);
      try {
        if (!fstatSync(fd).isFile()) return null;
        const bytes = Buffer.alloc(workspaceLimits.diffFileBytesMax + 1);
        return bytes.subarray(0, readSync(fd, bytes));
      } finally {
        closeSync(fd);
      }
    });
  } catch {
    return null;
  }
}

function toChange(change: PlannedChange, diff: string | null): Change {
  const size =
    change.entry?.type === 'file' ? change.entry.size : change.entry === null ? (change.before?.size ?? 0) : 0;
  return {
    path: pathToText(change.path),
    kind: change.kind,
    before: change.before === null ? null : toText(change.before.summary),
    after: change.after === null ? null : toText(change.after),
    bytes: change.before?.type === 'folder' && change.entry === null ? 0 : size,
    mode: change.entry === null || change.entry.type === 'symlink' ? null : change.entry.mode & 0o777,
    protected: change.protected,
    refused: change.refused,
    diff,
  };
}

/** A symlink's target is bytes, like a path. */
function toText(summary: string): string {
  return summary.startsWith('link:') ? `link:${pathToText(summary.slice(5) as RawPath)}` : summary;
}

function fold(plan: readonly PlannedChange[]): Change[] {
  const fresh = new Set<string>(plan.filter((change) => change.kind === 'directory').map((change) => change.path));
  const tops = new Set<string>(plan.filter((change) => isTopOfNew(change.path, fresh)).map((change) => change.path));
  const folded: Change[] = [];
  let top: { path: RawPath; at: number; files: number; bytes: number; hash: ReturnType<typeof createHash> } | null =
    null;
  const close = (): void => {
    const change = top === null ? undefined : folded[top.at];
    if (top === null || change === undefined) return;
    folded[top.at] = { ...change, bytes: top.bytes, after: `tree:${top.files} files sha256:${top.hash.digest('hex')}` };
  };
  for (const change of plan) {
    if (top === null || !isBelow(change.path, top.path)) {
      close();
      top = null;
      if (change.kind === 'directory' && tops.has(change.path)) {
        top = { path: change.path, at: folded.length, files: 0, bytes: 0, hash: createHash('sha256') };
      }
      folded.push(toChange(change, null));
      continue;
    }
    top.files += change.kind === 'directory' ? 0 : 1;
    top.bytes += change.entry?.size ?? 0;
    top.hash.update(`${change.path}\0${change.after}\0`);
    if (change.protected || change.refused !== null) folded.push(toChange(change, null));
  }
  close();
  return folded;
}

function sizeOf(changes: readonly Change[]): number {
  return Buffer.byteLength(JSON.stringify(changes));
}
