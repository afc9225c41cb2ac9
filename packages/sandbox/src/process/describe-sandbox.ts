import { existsSync, readFileSync } from 'node:fs';
import type { SandboxSpec } from '../driver.ts';
import { encodeGuard, encodeLaunch, type GuardDescription, type Owner } from './description.ts';
import { environmentOf } from './environment.ts';
import { landlockAbiMin } from './landlock.ts';
import { systemBundle, writeSessionFiles } from './session-files.ts';
import { buildView } from './view.ts';

/** Covered in the agent's /proc: kernel addresses, keys, timers, interrupts (their times tell keystrokes), and what would stop the machine. */
const maskedProc = ['kcore', 'keys', 'key-users', 'kallsyms', 'kmsg', 'sched_debug', 'latency_stats', 'timer_list'];
const masked = [...maskedProc, 'interrupts', 'sysrq-trigger', 'config.gz', 'cmdline'].map((name) => `/proc/${name}`);

export interface SandboxParts {
  /** Checked before ({@link checkSpec}). */
  readonly spec: SandboxSpec;
  readonly session: Owner | null;
  readonly cgroup: GuardDescription['cgroup'];
  /** False: the cgroup cannot limit, so that rlimits must. */
  readonly limited: boolean;
  readonly filter: Uint8Array;
  readonly bubblewrap: string;
  readonly supervisorPid: number;
  /** Programs that ignore the proxy are to be caught, so that names are asked for and not read from a file. */
  readonly capture: boolean;
  readonly relay: GuardDescription['relay'];
}

/** Writes the session's files and gives the bytes from which the native program builds the whole boundary. */
export function describeSandbox(parts: SandboxParts): Uint8Array {
  const { spec, session } = parts;
  const { order } = spec;
  const roots = existsSync(systemBundle) ? readFileSync(systemBundle, 'utf8') : '';
  const view = buildView(spec, session, writeSessionFiles(spec, session, roots, parts.capture));
  const launch = encodeLaunch({
    landlock: {
      required: !order.allowWeaker.includes('landlock'),
      abiMin: landlockAbiMin[order.seccomp],
      rules: view.rules,
    },
    seccomp: { required: !order.allowWeaker.includes('seccomp'), filter: parts.filter },
    openFiles: order.resources.openFilesMax,
    fileBytes: order.resources.diskBytes,
    fallback: parts.limited ? null : { processes: order.resources.pidsMax, dataBytes: order.resources.memoryBytes },
    masked,
    main: { ...order, env: environmentOf(order.env, order.terminal !== null) },
  });
  return encodeGuard({
    supervisorPid: parts.supervisorPid,
    session,
    cgroup: parts.cgroup,
    mounts: view.mounts,
    sockets: { capture: parts.capture, tcp: order.tcp ?? [] },
    relay: parts.relay,
    bubblewrap: parts.bubblewrap,
    arguments: view.arguments,
    launch,
  });
}
