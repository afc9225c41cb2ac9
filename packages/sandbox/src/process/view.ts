import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import { CordonError } from '@cordon/protocol';
import { type SandboxSpec, sandboxHome, sandboxUid } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import type { LandlockRule, Owner, StagedMount } from './description.ts';
import { baseRules, landlockRights } from './landlock.ts';
import { type MountedFile, sessionFolders, sharedEtc, systemBundle } from './session-files.ts';
import { isBelow } from './spec.ts';

/** Where the native program collects mounts (STAGE_DIR in native/launch/stage.h). */
const stage = '/tmp';

/** What an agent sees of files, told three times from one source: staged mounts, bubblewrap's arguments, Landlock rules. */
export interface View {
  readonly mounts: readonly StagedMount[];
  readonly arguments: readonly string[];
  readonly rules: readonly LandlockRule[];
}

/** Collects one mount after the other; later ones lie over earlier ones. */
class ViewBuilder {
  readonly mounts: StagedMount[] = [];
  readonly arguments: string[] = [];
  readonly rules: LandlockRule[] = [...baseRules];

  add(mount: Omit<StagedMount, 'name'>, at: string, rights: bigint): void {
    const name = `m${this.mounts.length}`;
    this.mounts.push({ name, ...mount });
    this.arguments.push(mount.readOnly ? '--ro-bind' : '--bind', `${stage}/${name}`, at);
    this.rules.push({ path: at, rights });
  }

  argument(...words: string[]): void {
    this.arguments.push(...words);
  }
}

/**
 * The allow-list that is an agent's root file system. `session` is who the agent is on the host (root supervisor), null
 * when it is the caller itself.
 * @throws CordonError `spec-invalid`
 */
export function buildView(spec: SandboxSpec, session: Owner | null, files: readonly MountedFile[]): View {
  const view = new ViewBuilder();
  const folders = sessionFolders(spec.sessionDir);
  addNamespaces(view);
  addPrograms(view);
  const plain = { overlay: null, owners: null };
  view.add({ ...plain, source: folders.etc, readOnly: true }, '/etc', landlockRights.read);
  for (const folder of sharedEtc.filter((place) => existsSync(place))) view.argument('--ro-bind', folder, folder);
  if (existsSync(systemBundle)) view.argument('--ro-bind', `${stage}/m0/cordon/bundle.pem`, systemBundle);
  addVolatile(view, spec);
  view.add({ ...plain, source: folders.home, readOnly: false }, sandboxHome, landlockRights.all);
  for (const place of spec.order.readOnly) {
    const overlay = statSync(place).isDirectory() ? 'shade' : null;
    view.add({ overlay, owners: ownersFor(place, session), source: place, readOnly: true }, place, landlockRights.run);
  }
  addWorkspace(view, spec, session);
  for (const file of files) view.add({ ...plain, source: file.source, readOnly: true }, file.at, landlockRights.read);
  // Last: bubblewrap makes mount points in the root until here.
  view.argument('--remount-ro', '/dev', '--remount-ro', '/');
  if (view.mounts.length > limits.stagedMountsMax) {
    throw new CordonError<SandboxErrorCode>('spec-invalid', `more than ${limits.stagedMountsMax} mounts`, {
      expose: true,
    });
  }
  return view;
}

function addNamespaces(view: ViewBuilder): void {
  // Not `net`: the guard has made it already, with the sockets in it, and nobody inside has a say over it.
  for (const namespace of ['user', 'pid', 'ipc', 'uts', 'cgroup']) view.argument(`--unshare-${namespace}`);
  view.argument('--disable-userns', '--die-with-parent', '--new-session', '--as-pid-1', '--clearenv');
  view.argument('--hostname', 'cordon', '--uid', String(sandboxUid), '--gid', String(sandboxUid));
  // For the second PID namespace and the bounding set; the launcher drops both before the agent.
  view.argument('--cap-drop', 'ALL');
  for (const capability of ['SYS_ADMIN', 'SETPCAP']) {
    view.argument('--cap-add', `CAP_${capability}`);
  }
}

function addPrograms(view: ViewBuilder): void {
  view.argument('--ro-bind', '/usr', '/usr');
  view.rules.push({ path: '/usr', rights: landlockRights.run });
  for (const folder of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const info = lstatSync(folder, { throwIfNoEntry: false });
    if (info?.isSymbolicLink()) {
      view.argument('--symlink', readlinkSync(folder), folder);
    } else if (info?.isDirectory()) {
      view.argument('--ro-bind', folder, folder);
      view.rules.push({ path: folder, rights: landlockRights.run });
    }
  }
}

function addVolatile(view: ViewBuilder, spec: SandboxSpec): void {
  const { memoryBytes, diskBytes } = spec.order.resources;
  const size = String(Math.min(Math.floor((memoryBytes * limits.tmpfsMemoryPercent) / 100), diskBytes));
  view.argument('--proc', '/proc', '--dev', '/dev');
  for (const place of ['/tmp', '/dev/shm']) view.argument('--perms', '1777', '--size', size, '--tmpfs', place);
}

function addWorkspace(view: ViewBuilder, spec: SandboxSpec, session: Owner | null): void {
  const { path: at, mode } = spec.order.workspace;
  const folders = sessionFolders(spec.sessionDir);
  const { uid, gid } = statSync(at);
  const owners = session === null ? null : { owner: { uid, gid }, to: session };
  const overlay = mode === 'proposal' ? { upper: folders.upper, work: folders.work } : null;
  view.add({ source: at, readOnly: false, overlay, owners }, at, landlockRights.all);
  // An overlay's sockets and pipes are its own.
  if (mode === 'proposal') return;
  for (const place of protectedMounts(at, spec.order.protectedPaths)) {
    view.add({ source: place.path, readOnly: place.readOnly, overlay: null, owners }, place.path, landlockRights.all);
  }
  for (const relative of spec.covered ?? []) addCovered(view, path.join(at, relative), owners);
}

/**
 * What lies in a directly bound workspace and must not be reached as it is: sockets and pipes, which lead to processes
 * of the host and which neither a read-only mount nor Landlock closes, are hidden; set-user-ID files, whose bit survives
 * a write through a mapping, are read-only.
 */
function addCovered(view: ViewBuilder, place: string, owners: StagedMount['owners']): void {
  const info = lstatSync(place, { throwIfNoEntry: false });
  if (info?.isSocket() || info?.isFIFO()) view.argument('--ro-bind', '/dev/null', place);
  else if (info?.isFile())
    view.add({ source: place, readOnly: true, overlay: null, owners }, place, landlockRights.all);
}

/**
 * Existing protected paths become read-only mounts. The folders above them become mounts too, so that none can be moved
 * away with what is below it and made anew (a mount point cannot be renamed or removed).
 */
function protectedMounts(workspace: string, paths: readonly string[]): { path: string; readOnly: boolean }[] {
  const mounts = new Map<string, boolean>();
  for (const relative of [...paths].sort()) {
    const places = relative.split('/').map((_, index, parts) => path.join(workspace, ...parts.slice(0, index + 1)));
    // A link is not followed: what it names lies elsewhere, and the link itself can only be watched.
    if (!places.every((place, index) => isPlain(place, index === places.length - 1))) continue;
    for (const place of places.slice(0, -1)) if (!mounts.has(place)) mounts.set(place, false);
    mounts.set(places.at(-1) ?? workspace, true);
  }
  const list = [...mounts].map(([place, readOnly]) => ({ path: place, readOnly }));
  const closed = list.filter(({ readOnly }) => readOnly);
  // What lies in a read-only folder needs no mount of its own. Parents come first: they must not lie over children.
  return list
    .filter(({ path: place }) => !closed.some((other) => other.path !== place && isBelow(place, other.path)))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isPlain(place: string, last: boolean): boolean {
  const info = lstatSync(place, { throwIfNoEntry: false });
  return info !== undefined && (info.isDirectory() || (last && info.isFile()));
}

/** Programs that somebody installed for themselves alone must still be readable by the session's own uid. */
function ownersFor(place: string, session: Owner | null): StagedMount['owners'] {
  if (session === null) return null;
  const { uid, gid, mode } = statSync(place);
  const readableByAll = (mode & 0o005) === 0o005;
  return uid === 0 && readableByAll ? null : { owner: { uid, gid }, to: session };
}
