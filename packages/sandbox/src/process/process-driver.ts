import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  type Capability,
  type Clock,
  CordonError,
  type LayerName,
  type Random,
  type SandboxReport,
  type TeardownItem,
} from '@cordon/protocol';
import { findHierarchy, type Hierarchy, missingControllers } from '../cgroup/hierarchy.ts';
import { SessionCgroup } from '../cgroup/session-cgroup.ts';
import type { Sandbox, SandboxDriver, SandboxSpec, SessionNames } from '../driver.ts';
import type { SandboxErrorCode } from '../error.ts';
import { driverLimits as limits } from '../limits.ts';
import type { Architecture } from '../seccomp/numbers.ts';
import { compileProfile, encodeProgram } from '../seccomp/program.ts';
import { describeSandbox } from './describe-sandbox.ts';
import type { Owner } from './description.ts';
import { type Frame, frameTypes } from './frame.ts';
import { landlockAbiMin } from './landlock.ts';
import { LaunchProcess, startFault } from './launch-process.ts';
import { removeOverlayWork } from './overlay-work.ts';
import { probeLayers, tryCapture, tryHandOff } from './probe.ts';
import { ProcessSandbox } from './process-sandbox.ts';
import { Relay } from './relay.ts';
import { everyFolder, sessionFolders } from './session-files.ts';
import { checkNames, checkSpec } from './spec.ts';

export interface ProcessDriverOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Sockets of relays, a folder per session; short, since such a path has at most 107 bytes. */
  readonly relays: string;
  /** The native program, for {@link SandboxDriver.probe}. */
  readonly launchBinary: string;
}

/** Namespaces by bubblewrap, then the native launcher (sandbox.md, driver `process`). */
export function createProcessDriver(options: ProcessDriverOptions): SandboxDriver {
  return new ProcessDriver(options);
}

interface Building {
  readonly session: Owner | null;
  readonly cgroup: SessionCgroup | null;
  readonly hierarchy: Hierarchy | null;
  readonly capture: boolean;
  readonly relay: Relay | null;
}

class ProcessDriver implements SandboxDriver {
  readonly name = 'process';
  readonly #options: ProcessDriverOptions;
  /** Filters by profile: the same bytes every time, and a millisecond to compile. */
  readonly #filters = new Map<string, Uint8Array>();
  /** Whether connections can be caught here, tried before: names are written into the sandbox's files before it is known anew. */
  #captures: Promise<boolean> | null = null;
  /** Whether descriptors pass. A no is for good, too: where they do not, the trial may take seconds, and a relay does as well. */
  #handsOver: Promise<boolean> | null = null;

  constructor(options: ProcessDriverOptions) {
    this.#options = options;
  }

  probe(): Promise<Capability[]> {
    return probeLayers(this.#options.launchBinary);
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const begun = this.#options.clock.monotonic();
    checkSpec(spec);
    const [capture, relayed] = await Promise.all([this.#canCapture(spec.launchBinary), this.#needsRelay(spec)]);
    if (signal.aborted) throw aborted();
    const prepared = this.#prepare(spec, capture);
    // INVARIANT: from here on everything of this session's name is this start's own, and goes with it.
    if (everyFolder(spec.sessionDir).some((folder) => existsSync(folder))) {
      throw new CordonError<SandboxErrorCode>('start-failed', `${spec.sessionDir} was used before`);
    }
    const { resources } = spec.order;
    prepared.cgroup?.create(relayed ? { ...resources, pidsMax: resources.pidsMax + 1 } : resources);
    let relay: Relay | null = null;
    let launch: LaunchProcess | null = null;
    try {
      relay = relayed ? await Relay.open(this.#relayFolder(spec.order), this.#options.random) : null;
      const building = { ...prepared, relay };
      // It comes up while the session's files are written.
      launch = new LaunchProcess(spec.launchBinary, relay);
      launch.describe(this.#describe(spec, building));
      const ready = await this.#ready(launch, signal);
      const report = this.#report(spec, building, launch, ready, this.#options.clock.monotonic() - begun);
      return new ProcessSandbox(spec, launch, prepared.cgroup, this.#options.clock, report);
    } catch (error) {
      await this.#undo(spec, launch, prepared.cgroup);
      relay?.close();
      throw error;
    }
  }

  /** Only a yes is for good: a host that was too busy to try, or has got its module since, is tried again. */
  async #canCapture(launchBinary: string): Promise<boolean> {
    this.#captures ??= tryCapture(launchBinary).then(({ works }) => works);
    const works = await this.#captures;
    if (!works) this.#captures = null;
    return works;
  }

  async #needsRelay({ order, launchBinary }: SandboxSpec): Promise<boolean> {
    if (order.sockets === 'relay') return true;
    this.#handsOver ??= tryHandOff(launchBinary).then(({ works }) => works);
    return !(await this.#handsOver);
  }

  async sweep(names: SessionNames): Promise<TeardownItem[]> {
    checkNames(names);
    rmSync(this.#relayFolder(names), { recursive: true, force: true });
    const hierarchy = findHierarchy(isRoot());
    if (hierarchy === null) return [{ item: 'cgroup', how: 'no cgroups on this host', ok: true }];
    const cgroup = new SessionCgroup(hierarchy, names);
    const before = cgroup.processes();
    cgroup.kill();
    const empty = await cgroup.settled('populated', '0', this.#options.clock);
    return [{ item: 'processes', how: `${before} killed`, ok: empty }, ...(await cgroup.remove())];
  }

  #relayFolder({ session }: Pick<SessionNames, 'session'>): string {
    return path.join(this.#options.relays, session);
  }

  #prepare(spec: SandboxSpec, capture: boolean): Omit<Building, 'relay'> {
    const session = spec.uid === null ? null : { uid: spec.uid, gid: spec.uid };
    if ((session === null) === isRoot()) {
      throw layerMissing(
        'uid',
        session === null ? 'a root supervisor needs a uid of the session' : 'only root can switch to another uid',
      );
    }
    const hierarchy = findHierarchy(isRoot());
    const missing = hierarchy === null ? ['a writable version 2 hierarchy'] : missingControllers(hierarchy);
    if (missing.length > 0 && !spec.order.allowWeaker.includes('cgroups')) {
      throw layerMissing('cgroups', `missing: ${missing.join(', ')}`);
    }
    return {
      session,
      hierarchy,
      capture,
      cgroup: hierarchy === null ? null : new SessionCgroup(hierarchy, spec.order),
    };
  }

  #describe(spec: SandboxSpec, building: Building): Uint8Array {
    const { session, cgroup, hierarchy, capture, relay } = building;
    const limited = hierarchy !== null && missingControllers(hierarchy).length === 0;
    return describeSandbox({
      spec,
      session,
      cgroup: cgroup === null ? null : { unified: cgroup.unified, tasks: cgroup.tasks },
      limited,
      filter: this.#filter(spec.order.seccomp),
      bubblewrap: findBubblewrap(),
      supervisorPid: process.pid,
      capture,
      relay,
    });
  }

  #filter(profile: 'strict' | 'compat'): Uint8Array {
    const filter = this.#filters.get(profile) ?? encodeProgram(compileProfile(profile, architecture()));
    this.#filters.set(profile, filter);
    return filter;
  }

  /** READY and every socket and stream that it counts. */
  async #ready(launch: LaunchProcess, signal: AbortSignal): Promise<Frame> {
    let timer: NodeJS.Timeout | undefined;
    let abort: (() => void) | undefined;
    try {
      return await new Promise<Frame>((resolve, reject) => {
        let ready: Frame | null = null;
        launch.onFrame((frame) => {
          if (frame.type === frameTypes.ready) ready = frame;
          const streams = launch.has(0, 'terminal') || launch.has(0, 'stderr');
          if (ready !== null && streams && launch.sockets.length === launch.socketsExpected) resolve(ready);
        });
        timer = setTimeout(() => {
          reject(new CordonError<SandboxErrorCode>('start-failed', `not ready after ${limits.startTimeoutMs} ms`));
        }, limits.startTimeoutMs);
        abort = () => reject(aborted());
        signal.addEventListener('abort', abort, { once: true });
        void launch.gone.then(() => reject(startFault(launch.fault)));
      });
    } finally {
      clearTimeout(timer);
      if (abort !== undefined) signal.removeEventListener('abort', abort);
    }
  }

  #report(spec: SandboxSpec, building: Building, launch: LaunchProcess, ready: Frame, startMs: number): SandboxReport {
    const { order } = spec;
    const { hierarchy } = building;
    const weaker: LayerName[] = [];
    if (ready.a < landlockAbiMin[order.seccomp]) weaker.push('landlock');
    if (ready.c !== 1) weaker.push('seccomp');
    const missing = hierarchy === null ? ['none'] : missingControllers(hierarchy);
    if (missing.length > 0) weaker.push('cgroups');
    return {
      driver: 'process',
      grade: 'process',
      layers: {
        namespaces: 'user, mount, pid (two), net, ipc, uts, cgroup; no further user namespaces',
        landlock: ready.a === 0 ? 'none' : `ABI ${ready.a}`,
        seccomp: ready.c === 1 ? order.seccomp : 'none',
        cgroups: describeCgroups(hierarchy, missing),
        uid: spec.uid === null ? `${process.getuid?.() ?? -1}, the user's own` : `${spec.uid}, the session's own`,
      },
      weaker,
      capture: launch.sockets.some(({ kind }) => kind === 'capture') ? 'redirect' : 'none',
      sockets: building.relay === null ? 'hand-off' : 'relay',
      uid: spec.uid ?? process.getuid?.() ?? -1,
      startMs: Math.round(startMs * 10) / 10,
    };
  }

  async #undo(spec: SandboxSpec, launch: LaunchProcess | null, cgroup: SessionCgroup | null): Promise<void> {
    cgroup?.kill();
    launch?.kill();
    await launch?.gone;
    launch?.close();
    await cgroup?.settled('populated', '0', this.#options.clock);
    await cgroup?.remove();
    removeOverlayWork(sessionFolders(spec.sessionDir).work);
    for (const folder of everyFolder(spec.sessionDir)) rmSync(folder, { recursive: true, force: true });
  }
}

function describeCgroups(hierarchy: Hierarchy | null, missing: readonly string[]): string {
  if (hierarchy === null) return 'none; limits per process only, no freeze';
  if (missing.length > 0) return `kill and freeze; without ${missing.join(', ')}`;
  return hierarchy.legacy.size > 0 ? 'hybrid: limits in v1, kill and freeze in v2' : 'v2';
}

function architecture(): Architecture {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw layerMissing('seccomp', `no system call table for ${process.arch}`);
}

/** By fixed places, never by PATH: it runs with our rights. */
function findBubblewrap(): string {
  const found = ['/usr/bin/bwrap', '/usr/local/bin/bwrap'].find((place) => existsSync(place));
  if (found === undefined) throw layerMissing('namespaces', 'bubblewrap is not installed: apt-get install bubblewrap');
  return found;
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function layerMissing(layer: LayerName, detail: string): CordonError {
  return new CordonError<SandboxErrorCode>('layer-missing', `${layer}: ${detail}`, {
    expose: true,
    nextSteps: [`--allow-weaker ${layer} (recorded)`],
  });
}

function aborted(): CordonError {
  return new CordonError<SandboxErrorCode>('start-aborted', 'the start was given up');
}
