import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, TeardownItem } from '@cordon/protocol';
import type { SandboxDriver } from '../driver.ts';
import { supervisorLimits } from '../limits.ts';
import { endRecordedGateway } from './gateway-keeper.ts';
import { listSessionFolders, type Manifest, readManifest, updateManifest } from './manifest.ts';
import { proveGone, removeLeftovers, removeSessionFolder } from './proof.ts';
import type { WorkspaceJobs } from './workspace-jobs.ts';

export interface SweepOptions {
  readonly home: string;
  readonly runtime: string;
  readonly launch: string;
  readonly drivers: { readonly process: SandboxDriver };
  readonly jobs: WorkspaceJobs;
  readonly clock: Pick<Clock, 'now'>;
}

export interface Swept {
  readonly session: string;
  readonly swept: TeardownItem[];
}

/**
 * What an earlier supervisor left, ended and removed; everything that no control plane has recorded yet is returned.
 * INVARIANT: the lock is held, so no manifest here belongs to a living supervisor.
 */
export async function sweepHost(options: SweepOptions): Promise<Swept[]> {
  for (const name of readdirSync(options.runtime)) {
    if (/^gateway-.+\.pid$/.test(name)) endRecordedGateway(join(options.runtime, name));
  }
  const found: Swept[] = [];
  for (const session of listSessionFolders(options.home)) {
    const manifest = readManifest(options.home, session);
    if (manifest === null) await removeSessionFolder(options.home, options.launch, session);
    else if (manifest.state !== 'ended') found.push({ session, swept: await sweepSession(options, manifest) });
    else if (!manifest.reported)
      found.push({ session, swept: [{ item: 'session', how: 'had ended, was not yet recorded', ok: true }] });
  }
  return found;
}

/** Ends, removes and proves one session; its manifest says the result. */
export async function sweepSession(options: SweepOptions, manifest: Manifest): Promise<TeardownItem[]> {
  const { home, launch, drivers, jobs, clock } = options;
  const items: TeardownItem[] = [];
  try {
    items.push(
      ...(await drivers[manifest.driver].sweep({
        tenant: manifest.tenant,
        agent: manifest.agent,
        session: manifest.session,
      })),
    );
    items.push(
      ...(await proveGone(home, manifest, supervisorLimits.sweepProofMs)),
      await removeLeftovers(home, launch, manifest.session),
    );
    if (manifest.workspace.mode === 'proposal') await jobs.run(recoverJob(options, manifest));
  } catch (error: unknown) {
    items.push({ item: 'sweep', how: error instanceof Error ? error.message : String(error), ok: false });
  }
  const state = items.every((item) => item.ok) ? 'ended' : 'dirty';
  updateManifest(home, { ...manifest, state, endedAt: manifest.endedAt ?? clock.now(), reported: false });
  return items;
}

/** An apply that was cut off: what it set aside returns. */
function recoverJob(options: SweepOptions, manifest: Manifest): Parameters<WorkspaceJobs['run']>[0] {
  return workspaceJob('recover', options, manifest);
}

export function workspaceJob(
  kind: 'changes' | 'apply' | 'recover',
  options: { readonly home: string; readonly launch: string },
  manifest: Manifest,
): Parameters<WorkspaceJobs['run']>[0] {
  return {
    kind,
    launch: options.launch,
    sessionDir: join(options.home, 'sessions', manifest.session),
    session: manifest.session,
    workspace: manifest.workspace.path,
    beganNs: manifest.beganNs,
    protectedPaths: manifest.protectedPaths,
    chosen: null,
    named: [],
    running: false,
  };
}
