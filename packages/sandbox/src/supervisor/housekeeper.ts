import { supervisorLimits as limits } from '../limits.ts';
import { listSessionFolders, type Manifest, readManifest } from './manifest.ts';
import type { SupervisorLogEvent } from './options.ts';
import { removeSessionFolder } from './proof.ts';
import { type SweepOptions, type Swept, sweepSession } from './sweep.ts';

export interface HousekeeperOptions extends SweepOptions {
  readonly log: (event: SupervisorLogEvent) => void;
  readonly isLiving: (session: string) => boolean;
  /** Its uid is never given out again. */
  readonly onDirty: (uid: number) => void;
  /** A dirty session is clean after all. */
  readonly onProved: (swept: Swept) => void;
}

/**
 * What goes on after sessions: proposals nobody wanted go, and what could not be proved gone is ended and proved again
 * until it is. Meanwhile its tenant starts nothing new on this host (stop.md §7).
 */
export class Housekeeper implements Disposable {
  readonly #options: HousekeeperOptions;
  readonly #dirty = new Set<string>();
  readonly #timer: ReturnType<typeof setInterval>;
  #soon: ReturnType<typeof setTimeout> | null = null;
  #busy = false;

  constructor(options: HousekeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#run(), limits.housekeepingMs).unref();
  }

  isDirty(tenant: string): boolean {
    return this.#dirty.has(tenant);
  }

  /** Looks at the session's manifest; does nothing when that says that it ended. */
  noteDirty(session: string): void {
    const manifest = readManifest(this.#options.home, session);
    // It ended, and its manifest could not say so: the disk took nothing.
    if (manifest?.state === 'living' && !this.#options.isLiving(session)) this.#again();
    if (manifest?.state !== 'dirty') return;
    this.#dirty.add(manifest.tenant);
    if (manifest.uid !== null) this.#options.onDirty(manifest.uid);
    this.#again();
    this.#options.log({ event: 'node-dirty', session, tenant: manifest.tenant });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
  }

  #again(): void {
    this.#soon ??= setTimeout(() => this.#run(), limits.dirtyRetryMs).unref();
  }

  #run(): void {
    this.#soon = null;
    if (this.#busy) return;
    this.#busy = true;
    this.#keep()
      .catch((error: unknown) => {
        this.#options.log({ event: 'housekeeping-failed', error: String(error) });
        this.#again();
      })
      .finally(() => {
        this.#busy = false;
      });
  }

  async #keep(): Promise<void> {
    const { home, launch, clock, isLiving } = this.#options;
    for (const session of listSessionFolders(home)) {
      const manifest = isLiving(session) ? null : readManifest(home, session);
      if (manifest?.state === 'dirty' || manifest?.state === 'living') await this.#retry(manifest);
      else if (manifest?.reported === true && clock.now() - (manifest.endedAt ?? 0) > limits.proposalKeepMs) {
        await removeSessionFolder(home, launch, session);
      }
    }
  }

  async #retry(manifest: Manifest): Promise<void> {
    const { home, log, onProved } = this.#options;
    const swept = await sweepSession(this.#options, manifest);
    this.#dirty.clear();
    for (const session of listSessionFolders(home)) this.noteDirty(session);
    if (!swept.every((item) => item.ok)) return;
    log({ event: 'dirty-lifted', session: manifest.session, tenant: manifest.tenant });
    onProved({ session: manifest.session, swept });
  }
}
