import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  Channel,
  CordonError,
  type ExitReport,
  type Handlers,
  isId,
  type SessionReport,
  type StartOrder,
  type StopReport,
  type SupervisorEvents,
  type SupervisorMethods,
  type TeardownItem,
} from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import { acceptAttach } from './attach.ts';
import type { CommandStream } from './command-stream.ts';
import type { SupervisorErrorCode } from './error.ts';
import { type ControlChannel, EventQueue } from './event-queue.ts';
import { GatewayKeeper } from './gateway-keeper.ts';
import { Housekeeper } from './housekeeper.ts';
import { type Manifest, readManifest, sessionFolder, updateManifest } from './manifest.ts';
import { NameLocks } from './name-lock.ts';
import type { SupervisorOptions } from './options.ts';
import { PermitSigner } from './permit-signer.ts';
import { removeSessionFolder } from './proof.ts';
import { Session } from './session.ts';
import { type Swept, sweepHost, workspaceJob } from './sweep.ts';
import { UidPool } from './uid-pool.ts';
import { createPrivateFolder, type Listener, listenOn, lockRuntime, type UnixSocket } from './unix-socket.ts';
import { WorkspaceJobs } from './workspace-jobs.ts';

/** Of the host, not of one home: all root supervisors share the range of uids. Only root can make a name here. */
const uidLocksFile = '/run/cordon-uids.lock';

export interface Supervisor extends AsyncDisposable {
  /** Settles after a shutdown: everything it had started is gone. */
  readonly done: Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * Takes the runtime folder, sweeps what an earlier crash left, then listens.
 * @throws CordonError `supervisor-running`
 */
export async function createSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  createPrivateFolder(options.home);
  const lock = await lockRuntime(options.runtime, options.random);
  const host = new Host(options, lock);
  await host.begin();
  return host;
}

class Host implements Supervisor {
  readonly #options: SupervisorOptions;
  readonly #lock: Listener;
  readonly #listeners: Listener[] = [];
  readonly #sessions = new Map<string, Session>();
  /** Ended ones whose output can still be read, oldest first. */
  readonly #ended = new Map<string, Session>();
  readonly #gateways = new Map<string, GatewayKeeper>();
  readonly #stopped = new Map<string, string>();
  readonly #events: EventQueue;
  readonly #uids: UidPool | null;
  readonly #jobs: WorkspaceJobs;
  readonly done: Promise<void>;
  #markDone: () => void = () => undefined;
  #control: ControlChannel | null = null;
  #closing: Promise<void> | null = null;
  readonly #house: Housekeeper;
  readonly #signer: PermitSigner;

  constructor(options: SupervisorOptions, lock: Listener) {
    this.#options = options;
    this.#lock = lock;
    this.#events = new EventQueue(options.log);
    this.#uids =
      options.uids === null
        ? null
        : new UidPool(options.uids, options.clock, options.random, new NameLocks(uidLocksFile, options.random));
    this.#jobs = new WorkspaceJobs(options.programs.workspace, options.programs.launch);
    this.#house = new Housekeeper({
      ...this.#sweepOptions(),
      clock: options.clock,
      log: options.log,
      isLiving: (session) => this.#sessions.has(session),
      onDirty: (uid) => this.#uids?.condemn(uid),
      onProved: (swept) => this.#tellRecovered([swept]),
    });
    const { permitKey: key, boot, clock } = options;
    this.#signer = new PermitSigner({ key, boot, clock, sessionOf: (id) => this.#sessions.get(id) });
    this.done = new Promise((resolve) => {
      this.#markDone = resolve;
    });
  }

  async begin(): Promise<void> {
    const { runtime, warmTenants } = this.#options;
    const swept = await sweepHost(this.#sweepOptions());
    for (const { session } of swept) this.#house.noteDirty(session);
    if (swept.length > 0) this.#tellRecovered(swept);
    for (const tenant of warmTenants) this.#gateway(tenant);
    this.#listeners.push(
      await listenOn(join(runtime, 'stream.sock'), (socket) =>
        acceptAttach(socket, (session, exec) => this.#findStream(session, exec)),
      ),
    );
    this.#listeners.push(await listenOn(join(runtime, 'supervisor.sock'), (socket) => this.#serve(socket)));
  }

  shutdown(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #shutDown(): Promise<void> {
    this.#house[Symbol.dispose]();
    const living = [...this.#sessions.values()];
    const limit = new Promise((resolve) => setTimeout(resolve, supervisorLimits.shutdownMs).unref());
    // Not waited for alone: a session that cannot be killed must not keep the others' ends from being recorded.
    const all = Promise.all(
      living.map((session) => session.kill('the supervisor shuts down').then(() => session.gone)),
    );
    await Promise.race([all, limit]);
    await Promise.race([this.#events.flushed(), limit]);
    await Promise.all([...this.#gateways.values()].map((gateway) => gateway.stop()));
    this.#control?.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#lock.close();
    this.#markDone();
  }

  /** A connection takes over with its `hello`: one that only looks whether we live disturbs nobody. */
  #serve(socket: UnixSocket): void {
    const handlers = this.#handlers((method) => {
      if (this.#control !== channel) throw fault('hello-first', `${method}: say hello first`);
    });
    const channel: ControlChannel = new Channel<SupervisorEvents, SupervisorMethods>(socket, {
      ...handlers,
      hello: () => {
        if (this.#control !== channel) this.#control?.close();
        this.#control = channel;
        // Events follow the answer to the hello.
        setImmediate(() => this.#events.connect(channel));
        return this.#hello();
      },
    });
    channel.onClose(() => {
      if (this.#control === channel) this.#control = null;
    });
  }

  #handlers(check: (method: string) => void): Handlers<Omit<SupervisorMethods, 'hello'>> {
    const guarded =
      <P, R>(method: string, run: (params: P) => R): ((params: P) => R) =>
      (params) => {
        check(method);
        return run(params);
      };
    return {
      start: guarded('start', (order: StartOrder) => this.#start(order)),
      exec: guarded('exec', (params: SupervisorMethods['exec']['params']) => this.#living(params.session).exec(params)),
      freeze: guarded('freeze', ({ sessions }) => Promise.all(sessions.map((id: string) => this.#freeze(id)))),
      thaw: guarded('thaw', ({ sessions }) => Promise.all(sessions.map((id: string) => this.#thaw(id)))),
      kill: guarded('kill', ({ sessions, reason }) =>
        Promise.all(sessions.map((id: string) => this.#kill(id, reason))),
      ),
      stats: guarded('stats', ({ session }) => this.#living(session).stats()),
      changes: guarded('changes', ({ session }) => this.#changes(session)),
      apply: guarded('apply', (params: SupervisorMethods['apply']['params']) => this.#apply(params)),
      discard: guarded('discard', ({ session }) => this.#discard(session)),
      probe: guarded('probe', () => this.#options.drivers.process.probe()),
      shutdown: guarded('shutdown', () => {
        setImmediate(() => void this.shutdown());
        return null;
      }),
    };
  }

  #hello(): SupervisorMethods['hello']['result'] {
    const sessions = [...this.#ended.values(), ...this.#sessions.values()].map((session) => session.report);
    const gateways = [...this.#gateways.values()].flatMap((gateway) => gateway.report ?? []);
    return { boot: this.#options.boot, pid: process.pid, sessions, gateways };
  }

  async #start(order: StartOrder): Promise<SessionReport> {
    this.#admit(order);
    const { home, boot, clock, log, drivers, programs } = this.#options;
    const session = new Session({
      order,
      home,
      boot,
      clock,
      log,
      launch: programs.launch,
      driver: drivers[order.driver],
      gateway: this.#gateway(order.tenant),
      uid: this.#uids?.take() ?? null,
      onQuarantined: (found) => this.#events.push('workspace.quarantined', found),
      onGone: (one, exit, teardown) => this.#gone(one, exit, teardown),
    });
    this.#sessions.set(order.session, session);
    return session.start();
  }

  /** @throws CordonError what forbids this start */
  #admit(order: StartOrder): void {
    const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
    if (this.#closing !== null) throw fault('supervisor-closing', 'the supervisor shuts down');
    if (
      !isId('session', order.session) ||
      !label.test(order.tenant) ||
      !label.test(order.agent) ||
      !Object.hasOwn(this.#options.drivers, order.driver)
    ) {
      throw fault('order-invalid', 'session, tenant, agent or driver is malformed');
    }
    for (const place of [order.workspace.path, ...order.readOnly]) {
      // Whoever reaches these sockets orders the supervisor about.
      if (isWithin(this.#options.runtime, place) || isWithin(place, this.#options.runtime)) {
        throw fault('order-invalid', `${place}: holds Cordon’s own sockets; choose a folder without them`);
      }
    }
    const stopped = this.#stopped.get(order.session);
    if (stopped !== undefined) throw fault('session-stopped', `it was killed before it ran: ${stopped}`);
    if (this.#sessions.has(order.session) || existsSync(sessionFolder(this.#options.home, order.session))) {
      throw fault('session-exists', `${order.session} was started before`);
    }
    if (this.#house.isDirty(order.tenant))
      throw fault('node-dirty', 'a teardown of this tenant could not be proved; see the supervisor’s log');
    if (this.#sessions.size >= supervisorLimits.sessionsMax)
      throw fault('sessions-full', 'too many sessions on this host');
    if (this.#events.isFull) throw fault('events-full', 'the control plane has taken no events for too long');
  }

  /** After teardown, or after a start that failed. */
  #gone(session: Session, exit: ExitReport | null, teardown: TeardownItem[]): void {
    const clean = teardown.every((item) => item.ok);
    this.#sessions.delete(session.id);
    this.#signer.forget(session.id);
    if (session.uid !== null) {
      if (clean) this.#uids?.release(session.uid);
      else this.#uids?.condemn(session.uid);
    }
    this.#house.noteDirty(session.id);
    if (exit === null) {
      void this.#settleFolder(session.id);
      return;
    }
    this.#ended.set(session.id, session);
    setTimeout(() => this.#ended.delete(session.id), supervisorLimits.endedKeepMs).unref();
    for (const old of this.#ended.keys()) if (this.#ended.size > supervisorLimits.endedKeepMax) this.#ended.delete(old);
    this.#events.push(
      'session.exited',
      { session: session.id, exit, teardown },
      () => void this.#settleFolder(session.id),
    );
  }

  /** The end is recorded: what is left is the proposal, or nothing. */
  async #settleFolder(session: string): Promise<void> {
    const { home, programs, log } = this.#options;
    try {
      const manifest = readManifest(home, session);
      if (manifest !== null && manifest.state !== 'ended') return;
      const folder = sessionFolder(home, session);
      const keeps = ['upper', 'quarantine'].some((name) => hasContent(join(folder, name)));
      if (keeps && manifest !== null) updateManifest(home, { ...manifest, reported: true });
      else await removeSessionFolder(home, programs.launch, session);
    } catch (error: unknown) {
      log({ event: 'session-folder-stays', session, error: error instanceof Error ? error.message : '' });
    }
  }

  #tellRecovered(sessions: readonly Swept[]): void {
    this.#events.push('recovered', { sessions: [...sessions] }, () => {
      for (const { session } of sessions) void this.#settleFolder(session);
    });
  }

  #freeze(id: string): Promise<StopReport> {
    this.#signer.stop(id);
    return this.#sessions.get(id)?.freeze() ?? Promise.resolve(nothingLeft(id));
  }

  #thaw(id: string): Promise<StopReport> {
    this.#signer.lift(id);
    return this.#sessions.get(id)?.thaw() ?? Promise.resolve(nothingLeft(id));
  }

  /** Remembered first: a start of this id that is on its way is refused. */
  #kill(id: string, reason: string): Promise<StopReport> {
    this.#stopped.set(id, reason);
    this.#signer.kill(id);
    for (const old of this.#stopped.keys())
      if (this.#stopped.size > supervisorLimits.stoppedMax) this.#stopped.delete(old);
    return this.#sessions.get(id)?.kill(reason) ?? Promise.resolve(nothingLeft(id));
  }

  async #changes(id: string): Promise<SupervisorMethods['changes']['result']> {
    const manifest = this.#manifestOf(id);
    if (manifest.workspace.mode === 'direct') return [];
    const answer = await this.#jobs.run({
      ...workspaceJob('changes', this.#sweepOptions(), manifest),
      running: this.#isLiving(id),
    });
    return 'changes' in answer ? answer.changes : [];
  }

  async #apply(params: SupervisorMethods['apply']['params']): Promise<SupervisorMethods['apply']['result']> {
    const manifest = this.#manifestOf(params.session);
    if (manifest.workspace.mode === 'direct') return { applied: [], refused: [] };
    const job = {
      ...workspaceJob('apply', this.#sweepOptions(), manifest),
      chosen: params.paths,
      named: params.protectedPaths,
      running: this.#isLiving(params.session),
    };
    const session = this.#sessions.get(params.session);
    const run = (): ReturnType<WorkspaceJobs['run']> => this.#jobs.run(job);
    const answer = await (session === undefined ? run() : session.whileFrozen(run));
    return 'outcome' in answer ? answer.outcome : { applied: [], refused: [] };
  }

  async #discard(id: string): Promise<null> {
    const manifest = this.#manifestOf(id);
    if (this.#isLiving(id)) throw fault('session-running', 'the session still runs: stop it first');
    if (manifest.state === 'dirty') throw fault('node-dirty', 'the session’s teardown could not be proved yet');
    await removeSessionFolder(this.#options.home, this.#options.programs.launch, id);
    return null;
  }

  #isLiving(id: string): boolean {
    return this.#sessions.get(id)?.isLiving ?? false;
  }

  #manifestOf(id: string): Manifest {
    const manifest = this.#sessions.get(id)?.manifest ?? readManifest(this.#options.home, id);
    if (manifest === null) throw fault('session-unknown', `${id}: no such session here, or its proposal is gone`);
    return manifest;
  }

  #living(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined) throw fault('session-unknown', `${id} does not run here`);
    return session;
  }

  #gateway(tenant: string): GatewayKeeper {
    const known = this.#gateways.get(tenant);
    if (known !== undefined) return known;
    const { programs, runtime, clock, log } = this.#options;
    const keeper = new GatewayKeeper({
      tenant,
      program: programs.gateway(tenant),
      runtime,
      clock,
      log,
      sign: (order) => this.#signer.sign(tenant, order),
      onUp: (report) => this.#events.push('gateway.up', report),
      onDown: (down) => this.#events.push('gateway.down', down),
    });
    this.#gateways.set(tenant, keeper);
    return keeper;
  }

  #findStream(session: string, exec: string | null): CommandStream | null {
    return (this.#sessions.get(session) ?? this.#ended.get(session))?.stream(exec) ?? null;
  }

  #sweepOptions(): Parameters<typeof sweepHost>[0] {
    const { home, runtime, drivers, clock, programs } = this.#options;
    return { home, runtime, launch: programs.launch, drivers, jobs: this.#jobs, clock };
  }
}

function isWithin(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

function hasContent(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).length > 0;
}

function nothingLeft(session: string): StopReport {
  return { session, confirmed: true, ms: 0, processesLeft: 0 };
}

function fault(code: SupervisorErrorCode, message: string): CordonError {
  return new CordonError<SupervisorErrorCode>(code, message, { expose: true });
}
