import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Capability } from '@cordon/protocol';
import { findHierarchy, missingControllers } from '../cgroup/hierarchy.ts';
import { sessionUids } from '../driver.ts';
import { driverLimits as limits } from '../limits.ts';
import { isHandle } from './launch-process.ts';
import { removeOverlayWork } from './overlay-work.ts';

const run = promisify(execFile);

interface Attempt {
  readonly works: boolean;
  readonly detail: string;
}

/** Tries every layer that the driver promises, each by doing it. Nothing is assumed from versions or files alone. */
export async function probeLayers(launchBinary: string): Promise<Capability[]> {
  if (!existsSync(launchBinary)) {
    const attempt = { works: false, detail: `${launchBinary} is not built` };
    return [capability('launcher', attempt, 'no sandbox at all', 'native/launch/build.sh (needs gcc)')];
  }
  const scratch = mkdtempSync('/var/tmp/cordon-probe-');
  try {
    for (const name of ['lower', 'upper', 'work']) mkdirSync(path.join(scratch, name));
    return await Promise.all([
      probeBubblewrap(),
      probeNamespaces(launchBinary),
      probeLandlock(launchBinary),
      probeSeccomp(launchBinary),
      Promise.resolve(probeCgroups()),
      probeUid(launchBinary, scratch),
      probeOverlay(launchBinary, scratch),
      probeCapture(launchBinary),
      probeHandOff(launchBinary),
    ]);
  } finally {
    removeOverlayWork(path.join(scratch, 'work'));
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function probeBubblewrap(): Promise<Capability> {
  const attempt = await attemptRun('/usr/bin/bwrap', ['--version']);
  return capability('bubblewrap', attempt, 'no sandbox at all', 'apt-get install bubblewrap');
}

async function probeNamespaces(launch: string): Promise<Capability> {
  const attempt = await attemptRun(launch, ['probe', 'userns']);
  const mend = existsSync('/proc/sys/kernel/apparmor_restrict_unprivileged_userns')
    ? 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
    : 'sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000';
  return capability('namespaces', attempt, 'no sandbox at all', mend);
}

async function probeLandlock(launch: string): Promise<Capability> {
  const { works, detail } = await attemptRun(launch, ['probe', 'landlock']);
  const abi = Number(detail);
  const attempt = { works: works && abi >= 1, detail: abi >= 1 ? `ABI ${abi}` : 'not in this kernel, or off' };
  return capability('landlock', attempt, 'the mount namespace is the only bar to files', 'boot with lsm=landlock,…');
}

async function probeSeccomp(launch: string): Promise<Capability> {
  const known = process.arch === 'x64' || process.arch === 'arm64';
  const attempt = known
    ? await attemptRun(launch, ['probe', 'seccomp'])
    : { works: false, detail: `no system call table for ${process.arch}` };
  return capability('seccomp', attempt, 'the whole kernel interface is open to the agent', null);
}

function probeCgroups(): Capability {
  const isRoot = process.geteuid?.() === 0;
  const hierarchy = findHierarchy(isRoot);
  const missing = hierarchy === null ? ['a writable version 2 hierarchy'] : missingControllers(hierarchy);
  const attempt = {
    works: missing.length === 0,
    detail: missing.length === 0 ? 'limits, freeze, kill' : `missing: ${missing.join(', ')}`,
  };
  const mend = isRoot
    ? 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified (or boot with systemd.unified_cgroup_hierarchy=1)'
    : 'systemd-run --user --scope -p Delegate=yes cordon up';
  return capability(
    'cgroups',
    attempt,
    'limits per process only; no freeze; a start needs --allow-weaker cgroups',
    mend,
  );
}

async function probeUid(launch: string, scratch: string): Promise<Capability> {
  if (process.geteuid?.() !== 0) {
    const attempt = { works: true, detail: "a user namespace over the user's own uid" };
    return capability('uid', attempt, 'sessions of one user share a uid on the host', 'run the supervisor as root');
  }
  const attempt = await attemptRun(launch, ['probe', 'idmap', scratch, '0', String(sessionUids.min)]);
  return capability(
    'uid',
    attempt,
    'workspaces of others cannot be used',
    'use a workspace on ext4, xfs, btrfs or tmpfs',
  );
}

async function probeOverlay(launch: string, scratch: string): Promise<Capability> {
  const attempt = await attemptRun(launch, ['probe', 'overlay', scratch]);
  return capability(
    'overlay',
    attempt,
    'no --workspace-mode proposal',
    'modprobe overlay (rootless: Linux 5.11 or newer)',
  );
}

/** Not a layer: without it programs that ignore the proxy find no route, which is as closed. */
async function probeCapture(launch: string): Promise<Capability> {
  const { works, detail } = await tryCapture(launch);
  return capability(
    'capture',
    { works, detail: works ? 'redirect' : `none: ${detail}` },
    'programs that ignore HTTPS_PROXY reach granted names on ports 80 and 443 only',
    'modprobe -a nf_tables nft_tproxy',
  );
}

/** Node's own format of a descriptor in a message is not documented, so that it holds is tried and not assumed. */
async function probeHandOff(launch: string): Promise<Capability> {
  const { works, detail } = await tryHandOff(launch);
  return capability(
    'hand-off',
    { works, detail: works ? detail : `${detail}: sockets are relayed` },
    'a process per session copies what a descriptor would carry by itself',
    'use the Node.js of the lockfile',
  );
}

/** As a start hands its sockets over: one TCP and one UDP socket from the native program. */
export function tryHandOff(launch: string): Promise<Attempt> {
  return new Promise((resolve) => {
    const child = spawn(launch, ['probe', 'channel'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: {} });
    const taken: string[] = [];
    const timer = setTimeout(() => child.kill('SIGKILL'), limits.probeTimeoutMs);
    child.on('message', (message, handle) => {
      const { probe } = message as { probe?: unknown };
      if (isHandle(handle) && handle.constructor.name === probe) taken.push(String(probe));
      if (isHandle(handle)) handle.close();
    });
    const finish = (): void => {
      clearTimeout(timer);
      resolve({
        works: taken.length === 2,
        detail: `Node ${process.version} takes ${taken.join(' and ') || 'nothing'}`,
      });
    };
    child.once('error', finish);
    // Not `close`: a channel on which something was not understood may never end.
    child.once('exit', finish);
  });
}

/** Makes the rules, routes and sockets in a network namespace of its own, as a start does. */
export function tryCapture(launch: string): Promise<Attempt> {
  return attemptRun(launch, ['probe', 'capture'], limits.probeTimeoutMs);
}

async function attemptRun(program: string, args: readonly string[], timeout = 10_000): Promise<Attempt> {
  try {
    const { stdout } = await run(program, [...args], { timeout, env: {} });
    return { works: true, detail: stdout.trim() };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return { works: false, detail: (stderr ?? '').trim() || message };
  }
}

function capability(name: string, attempt: Attempt, cost: string, mend: string | null): Capability {
  const detail = attempt.detail === '' ? (attempt.works ? 'tried' : 'failed') : attempt.detail;
  return { name, works: attempt.works, detail, cost: attempt.works ? '' : cost, mend: attempt.works ? null : mend };
}
