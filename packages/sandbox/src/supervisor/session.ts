import { join } from 'node:path';
import {
  type Clock,
  CordonError,
  type ExitReport,
  type SessionReport,
  type SessionState,
  type SessionStats,
  type StartOrder,
  type StopReport,
  type SupervisorMethods,
  type TeardownItem,
} from '@cordon/protocol';
import type { Sandbox, SandboxDriver } from '../driver.ts';
import { supervisorLimits } from '../limits.ts';
import { CommandStream } from './command-stream.ts';
import { DiskWatch } from './disk-watch.ts';
import type { SupervisorErrorCode } from './error.ts';
import type { GatewayKeeper } from './gateway-keeper.ts';
import { createManifest, flushManifest, type Manifest, sessionFolder, updateManifest } from './manifest.ts';
import type { SupervisorLogEvent } from './options.ts';
import { namespacesOf, processesInCgroup } from './process-table.ts';
import { proveGone, removeLeftovers, settleItems } from './proof.ts';
import { ProtectedWatch } from './protected-watch.ts';
import { startError, stopped } from './start-error.ts';

export interface SessionOptions {
  readonly order: StartOrder;
  readonly home: string;
  readonly boot: string;
  readonly launch: string;
  readonly driver: SandboxDriver;
  readonly gateway: GatewayKeeper;
  readonly uid: number | null;
  readonly clock: Clock;
  readonly log: (event: SupervisorLogEvent) => void;
  readonly onQuarantined: (found: { session: string; path: string; moved: boolean; to: string | null }) => void;
  /** After teardown: proved clean or not. Also after a start that failed (then `exit` is null). */
  readonly onGone: (session: Session, exit: ExitReport | null, teardown: TeardownItem[]) => void;
}

type ExecParams = SupervisorMethods['exec']['params'];

/** A session from the order to the proof that nothing of it is left. */
export class Session {
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  readonly #execs = new Map<string, CommandStream>();
  #manifest: Manifest | null = null;
  #sandbox: Sandbox | null = null;
  #main: CommandStream | null = null;
  #state: SessionState = 'starting';
  #killedFor: string | null = null;
  #protected: ProtectedWatch | null = null;
  #disk: DiskWatch | null = null;
  #quarantined = 0;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Freezes and thaws, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #started: Promise<void>;
  #markStarted: () => void = () => undefined;
  readonly gone: Promise<void>;
  #markGone: () => void = () => undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#started = new Promise((resolve) => {
      this.#markStarted = resolve;
    });
    this.gone = new Promise((resolve) => {
      this.#markGone = resolve;
    });
  }

  get id(): string {
    return this.#options.order.session;
  }

  get order(): StartOrder {
    return this.#options.order;
  }

  get uid(): number | null {
    return this.#options.uid;
  }

  get manifest(): Manifest | null {
    return this.#manifest;
  }

  get isLiving(): boolean {
    return this.#state !== 'ended';
  }

  get report(): SessionReport {
    return {
      session: this.id,
      state: this.#state,
      sandbox: this.#sandbox?.report ?? null,
      exit: this.#main?.exit ?? null,
    };
  }

  stream(exec: string | null): CommandStream | null {
    return exec === null ? this.#main : (this.#execs.get(exec) ?? null);
  }

  /**
   * Settles when the agent runs.
   * INVARIANT: before the barrier opens, the manifest is on disk, the gateway listens, and no kill has come.
   * @throws CordonError `session-stopped`, `gateway-unavailable`, or the driver's codes; nothing is left then
   */
  async start(): Promise<SessionReport> {
    const { order, home, driver, gateway, launch, uid } = this.#options;
    try {
      this.#manifest = createManifest(home, this.#firstManifest());
      const durable = flushManifest(home, this.id);
      durable.catch(() => undefined); // awaited below; a start that fails before must not leave it unhandled
      const mounts = order.workspace.mode === 'direct' ? await this.#guardDirect() : [];
      this.#throwIfStopped();
      const spec = { ...order, protectedPaths: [...new Set([...order.protectedPaths, ...mounts])] };
      const covered = this.#protected?.covered ?? [];
      const whole = { order: spec, sessionDir: sessionFolder(home, this.id), uid, covered, launchBinary: launch };
      this.#sandbox = await driver.start(whole, this.#abort.signal);
      this.#main = new CommandStream(this.#sandbox.main, (exit) => this.#explain(exit));
      await Promise.all([gateway.serve(this.id, this.#sandbox.sockets), durable]);
      this.#throwIfStopped();
      await this.#sandbox.open();
      this.#state = 'running';
      // A kill that came while the barrier opened found no running session; it is carried out now.
      this.#throwIfStopped();
    } catch (error: unknown) {
      await this.#fail();
      this.#markStarted();
      throw startError(error, this.#killedFor);
    }
    this.#markStarted();
    this.#watch();
    void this.#live(this.#sandbox, this.#main);
    return this.report;
  }

  async exec(params: ExecParams): Promise<{ exec: string }> {
    const sandbox = this.#running();
    if (this.#execs.size >= supervisorLimits.execsMax) throw fault('execs-full', 'too many commands in this session');
    const { command, env, cwd, terminal } = params;
    const stream = new CommandStream(await sandbox.exec({ command, env, cwd, terminal }), (exit) =>
      this.#explain(exit),
    );
    this.#execs.set(params.exec, stream);
    void stream.finished.then(() => this.#later(() => this.#execs.delete(params.exec), supervisorLimits.endedKeepMs));
    return { exec: params.exec };
  }

  stats(): Promise<SessionStats> {
    return this.#running().stats();
  }

  async freeze(): Promise<StopReport> {
    await this.#started;
    const sandbox = this.#sandbox;
    if (sandbox === null || this.#state === 'ended') return gone(this.id);
    const wasFrozen = this.#state === 'frozen';
    this.#state = 'frozen';
    const report = await this.#inTurn(() => sandbox.freeze());
    if (!wasFrozen) {
      this.#main?.notice({ code: 'frozen' });
      this.#later(() => this.#killIfFrozen(), supervisorLimits.frozenMaxMs);
    }
    return report;
  }

  async thaw(): Promise<StopReport> {
    await this.#started;
    const sandbox = this.#sandbox;
    if (sandbox === null || this.#state !== 'frozen') return gone(this.id);
    this.#state = 'running';
    const report = await this.#inTurn(() => sandbox.thaw());
    this.#main?.notice({ code: 'thawed' });
    return report;
  }

  /** While `use` runs nothing inside does; an order to freeze that comes meanwhile stays in force after it. */
  async whileFrozen<T>(use: () => Promise<T>): Promise<T> {
    const sandbox = this.#sandbox;
    if (sandbox === null || this.#state !== 'running') return use();
    await this.#inTurn(() => sandbox.freeze());
    try {
      return await use();
    } finally {
      await this.#inTurn(() => ((this.#state as SessionState) === 'running' ? sandbox.thaw() : Promise.resolve(null)));
    }
  }

  /** Waits for nothing that the session could delay: not for its start, not for a freeze that is under way. */
  async kill(reason: string): Promise<StopReport> {
    this.#killedFor ??= reason;
    if (this.#state === 'ended') return gone(this.id);
    if (this.#sandbox === null) {
      const before = this.#options.clock.monotonic();
      this.#abort.abort();
      await this.#started;
      return { ...gone(this.id), ms: this.#options.clock.monotonic() - before };
    }
    this.#main?.notice({ code: 'killed', reason });
    return this.#sandbox.kill();
  }

  #firstManifest(): Omit<Manifest, 'beganNs'> {
    const { order, boot, uid } = this.#options;
    const { session, tenant, agent, driver, workspace, protectedPaths } = order;
    return {
      v: 1,
      session,
      tenant,
      agent,
      driver,
      boot,
      uid,
      workspace,
      protectedPaths,
      namespaces: [],
      state: 'living',
      endedAt: null,
      reported: false,
    };
  }

  async #guardDirect(): Promise<string[]> {
    const { order, home, launch } = this.#options;
    this.#protected = new ProtectedWatch({
      launch,
      workspace: order.workspace.path,
      quarantine: join(sessionFolder(home, this.id), 'quarantine'),
      extra: order.protectedPaths,
      onUnguarded: (path) => this.#pause(path),
      onFound: (found) => this.#quarantine(found),
    });
    return this.#protected.begin();
  }

  /** A person decides whether it goes on without: `thaw`, or a new session that has its mounts again. */
  #pause(path: string): void {
    const detail = 'the host replaced it: no longer read-only for the session';
    this.#main?.notice({ code: 'unguarded', path, detail }, true);
    if (this.#state === 'running') this.freeze().catch((error: unknown) => this.#logFault('freeze-failed', error));
  }

  #quarantine(found: { path: string; moved: boolean; to: string | null }): void {
    this.#options.onQuarantined({ session: this.id, ...found });
    this.#main?.notice({ code: 'quarantined', path: found.path, moved: found.moved });
    this.#quarantined += 1;
    if (this.#quarantined === supervisorLimits.quarantinedMax)
      this.#killBecause('it kept making files that the host would run');
  }

  #watch(): void {
    const { order, home, launch, clock } = this.#options;
    const folder = sessionFolder(home, this.id);
    this.#disk = new DiskWatch({
      launch,
      folders: [join(folder, 'upper'), join(folder, 'home')],
      bytesMax: order.resources.diskBytes,
      clock,
      isPaused: () => this.#state !== 'running',
      onOver: (bytes) =>
        this.#killBecause(`it wrote ${bytes} bytes, over its disk limit of ${order.resources.diskBytes}`),
    });
    if (this.#protected !== null) {
      this.#protected.watch();
      this.#main?.notice(this.#protected.notice, true);
    }
    this.#later(() => this.#recordNamespaces(), 250);
    this.#later(() => this.#endOfTime(), Math.min(order.ttlMs, supervisorLimits.timerMsMax));
  }

  /** Off the way of the start: a session too short for it is proved gone by uid and cgroup. */
  #recordNamespaces(): void {
    if (this.#manifest === null || this.#state === 'ended') return;
    const names = new Set(processesInCgroup(this.id, this.uid).flatMap(namespacesOf));
    this.#keepManifest({ ...this.#manifest, namespaces: [...names] });
  }

  /** A disk that takes nothing now must not end the host's other sessions: the housekeeper writes what is missing. */
  #keepManifest(manifest: Manifest): void {
    this.#manifest = manifest;
    try {
      updateManifest(this.#options.home, manifest);
    } catch (error: unknown) {
      this.#logFault('manifest-not-written', error);
    }
  }

  #endOfTime(): void {
    this.#later(() => this.#killBecause('its time is over'), supervisorLimits.ttlGraceMs);
    this.freeze().catch((error: unknown) => this.#logFault('freeze-failed', error));
  }

  /** Our own order, not a person's: nobody waits for the answer, so a failure goes to the log; teardown tries again. */
  #killBecause(reason: string): void {
    this.kill(reason).catch((error: unknown) => this.#logFault('kill-failed', error));
  }

  #logFault(event: string, error: unknown): void {
    this.#options.log({ event, session: this.id, error: error instanceof Error ? error.message : String(error) });
  }

  #killIfFrozen(): void {
    if (this.#state === 'frozen') this.#killBecause('it was frozen for too long');
  }

  async #live(sandbox: Sandbox, main: CommandStream): Promise<void> {
    await sandbox.main.exit;
    await main.finished;
    this.#state = 'ended';
    await this.#tearDown(sandbox, main.exit);
  }

  /** The start did not succeed: everything goes, and the caller gets the error. */
  async #fail(): Promise<void> {
    this.#state = 'ended';
    await this.#tearDown(this.#sandbox, null);
  }

  async #tearDown(sandbox: Sandbox | null, exit: ExitReport | null): Promise<void> {
    const { home, launch, gateway, log } = this.#options;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#disk?.[Symbol.dispose]();
    gateway.close(this.id);
    let items: TeardownItem[] = [];
    try {
      if (sandbox !== null) items.push(...(await sandbox.teardown()));
      await this.#protected?.end();
      if (this.#manifest !== null) {
        items.push(
          ...(await proveGone(home, this.#manifest, supervisorLimits.proofTotalMs)),
          await removeLeftovers(home, launch, this.id),
        );
      }
      items = settleItems(home, this.id, items);
    } catch (error: unknown) {
      const how = error instanceof Error ? error.message : String(error);
      log({ event: 'teardown-failed', session: this.id, error: how });
      items.push({ item: 'teardown', how, ok: false });
    }
    for (const { item, how, ok } of items) if (!ok) log({ event: 'not-gone', session: this.id, item, how });
    this.#protected?.[Symbol.dispose]();
    this.#end(items);
    this.#options.onGone(this, exit, items);
    this.#markGone();
  }

  #end(items: readonly TeardownItem[]): void {
    if (this.#manifest === null) return;
    const state = items.every((item) => item.ok) ? 'ended' : 'dirty';
    this.#keepManifest({ ...this.#manifest, state, endedAt: this.#options.clock.now() });
  }

  #explain(exit: ExitReport): ExitReport {
    if (this.#killedFor === null || exit.reason === 'exited') return exit;
    return { status: 137, reason: 'killed', signal: 'SIGKILL', detail: this.#killedFor };
  }

  #throwIfStopped(): void {
    if (this.#killedFor !== null) throw stopped(this.#killedFor);
  }

  #running(): Sandbox {
    if (this.#sandbox === null || this.#state === 'ended' || this.#state === 'starting') {
      throw fault('session-unknown', `${this.id} does not run`);
    }
    return this.#sandbox;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(step, step);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  #later(step: () => void, ms: number): void {
    if (this.#state === 'ended') return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      step();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }
}

function gone(session: string): StopReport {
  return { session, confirmed: true, ms: 0, processesLeft: 0 };
}

function fault(code: SupervisorErrorCode, message: string): CordonError {
  return new CordonError<SupervisorErrorCode>(code, message, { expose: true });
}
