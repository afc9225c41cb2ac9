import type { LandlockRule } from './description.ts';

/** LANDLOCK_ACCESS_FS_* (linux/landlock.h). The native program leaves out what the kernel does not know yet. */
const bits = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readDir: 1n << 3n,
  removeDir: 1n << 4n,
  removeFile: 1n << 5n,
  makeDir: 1n << 7n,
  makeRegular: 1n << 8n,
  makeSocket: 1n << 9n,
  makeFifo: 1n << 10n,
  makeSymlink: 1n << 12n,
  refer: 1n << 13n,
  truncate: 1n << 14n,
  ioctlDevice: 1n << 15n,
} as const;

const read = bits.readFile | bits.readDir;
/** Everything but devices: no MAKE_CHAR, no MAKE_BLOCK, no ioctl on devices. */
const write =
  bits.writeFile |
  bits.removeDir |
  bits.removeFile |
  bits.makeDir |
  bits.makeRegular |
  bits.makeSocket |
  bits.makeFifo |
  bits.makeSymlink |
  bits.refer |
  bits.truncate;

export const landlockRights = {
  /** Names only. */
  list: bits.readDir,
  read,
  run: read | bits.execute,
  all: read | bits.execute | write,
  device: bits.readFile | bits.writeFile | bits.truncate | bits.ioctlDevice,
  terminals: read | bits.writeFile | bits.truncate | bits.ioctlDevice,
} as const;

const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx'];

/** Rules that every sandbox has; the view adds those of its mounts. */
export const baseRules: readonly LandlockRule[] = [
  { path: '/', rights: landlockRights.list },
  // Never writable: `/proc/self/mem`, `oom_score_adj` and the like are no agent's business.
  { path: '/proc', rights: landlockRights.read },
  { path: '/dev/pts', rights: landlockRights.terminals },
  { path: '/dev/shm', rights: landlockRights.all },
  { path: '/tmp', rights: landlockRights.all },
  ...devices.map((name) => ({ path: `/dev/${name}`, rights: landlockRights.device })),
];

/** ABI 2 (Linux 5.19) is the first that lets files move between folders; 1 still confines, but `git` and `npm` stumble. */
export const landlockAbiMin = { strict: 2, compat: 1 } as const;
