import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TeardownItem } from '@cordon/protocol';
import { supervisorLimits as limits } from '../limits.ts';
import { runTree } from '../workspace/tree.ts';
import { type Manifest, sessionFolder } from './manifest.ts';
import { livingNamespaces, mountsBelow, processesInCgroup, processesOf, ticksNow } from './process-table.ts';

/** What may stay after a session: the proposal and our own records of it. */
const kept: ReadonlySet<string> = new Set([
  'manifest.json',
  'upper',
  'applied.json',
  'shown.json',
  'applying.json',
  'quarantine',
]);

/**
 * Looks with its own eyes whether everything of a session is gone, whatever the driver reported (stop.md §7). The
 * kernel takes a moment to finish a killed process, so each look is repeated until it is clean or the limit is met;
 * meanwhile only this session's own end waits.
 */
export async function proveGone(home: string, manifest: Manifest, totalMs: number): Promise<TeardownItem[]> {
  const folder = sessionFolder(home, manifest.session);
  const { uid, session, namespaces: names } = manifest;
  const startedBefore = ticksNow();
  return [
    ...(uid === null
      ? []
      : [await prove(totalMs, 'processes', `none with uid ${uid}`, () => processesOf(uid, session).map(String))]),
    await prove(totalMs, 'cgroup members', 'no process in a cgroup of this session', () =>
      processesInCgroup(session, uid).map(String),
    ),
    await prove(totalMs, 'namespaces', `${names.length} recorded, none alive`, () =>
      livingNamespaces({ names, session, startedBefore }),
    ),
    await prove(totalMs, 'mounts', 'none below its folder in mountinfo', () => mountsBelow(folder)),
  ];
}

/** Removes what must not stay in the session's folder, and says whether it is gone. */
export async function removeLeftovers(home: string, launch: string, session: string): Promise<TeardownItem> {
  const folder = sessionFolder(home, session);
  const leftovers = (): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => !kept.has(name)) : []);
  if (leftovers().length > 0)
    await removeTrees(
      launch,
      leftovers().map((name) => join(folder, name)),
    );
  return prove(0, 'files', 'only the proposal and its records stay', leftovers);
}

/** A folder that the driver could not remove (nested past the longest path) and that is gone now, is gone. */
export function settleItems(home: string, session: string, items: readonly TeardownItem[]): TeardownItem[] {
  const inside = `${sessionFolder(home, session)}/`;
  return items.map((item) =>
    !item.ok && item.item.startsWith(inside) && !existsSync(item.item)
      ? { ...item, how: 'removed below its path limit', ok: true }
      : item,
  );
}

/** Everything of the session's folder. @throws CordonError `tree-unreadable` */
export async function removeSessionFolder(home: string, launch: string, session: string): Promise<void> {
  await removeTrees(launch, [sessionFolder(home, session)]);
}

/** Also files: the native walk removes folders of any depth, which an agent can nest past what Node reaches. */
async function removeTrees(launch: string, paths: readonly string[]): Promise<void> {
  await runTree(launch, ['remove', ...paths]);
}

async function prove(totalMs: number, item: string, how: string, look: () => string[]): Promise<TeardownItem> {
  let left = look();
  let waited = 0;
  for (
    let wait: number = limits.proofRetryMs;
    left.length > 0 && waited < totalMs;
    wait = Math.min(wait * 2, limits.proofRetryMsMax)
  ) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    waited += wait;
    left = look();
  }
  return { item, how: left.length === 0 ? how : `left: ${left.slice(0, 5).join(' ')}`, ok: left.length === 0 };
}
