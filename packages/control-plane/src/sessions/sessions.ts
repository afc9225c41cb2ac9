import {
  type Clock,
  createId,
  type ExitReport,
  isCordonError,
  type Random,
  type RecordValue,
  type SessionOrder,
  type SessionReport,
  type SupervisorEvents,
  type SupervisorMethods,
  type TeardownItem,
} from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { SessionRecord, SessionStore, StoredSession } from '@cordon/store';
import { isControlCode, refusal } from '../error.ts';
import type { Labels } from '../labels/labels.ts';
import { startLevels } from '../labels/start.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { type StopTable, stopped } from '../stops/table.ts';
import { Ends, toRecordable } from './ends.ts';
import type { SessionFeed } from './feed.ts';
import { createLive, type LiveSession } from './live.ts';
import { type PlanParts, planSession, type SessionPlan } from './plan.ts';
import { checkEtag, type SessionRegistry } from './registry.ts';

/** The parts of supervisor and gateways that sessions need; the rest of those is none of their business. */
export interface SessionBackends {
  supervisor<K extends keyof SupervisorMethods & string>(
    method: K,
    params: SupervisorMethods[K]['params'],
    timeoutMs?: number,
  ): Promise<SupervisorMethods[K]['result']>;
  pushSession(session: string): Promise<void>;
  closeSession(session: string): Promise<void>;
}

export interface SessionParts {
  readonly plan: PlanParts;
  readonly store: SessionStore;
  readonly registry: SessionRegistry;
  readonly stops: StopTable;
  readonly recorder: Recorder;
  readonly labels: Labels;
  readonly backends: SessionBackends;
  readonly feed: SessionFeed;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Stated in every `session.start`: test-only overrides of this daemon. */
  readonly overrides: () => readonly string[];
  /** Digest of the tenant's policy in force, and its generation. */
  tenantPolicy(): { readonly generation: number; readonly digest: string };
}

/** A session's life: planned, recorded, known to the gateway, started, and its end recorded. */
export class Sessions {
  readonly #parts: SessionParts;
  readonly #ends: Ends;
  #closing = false;
  #creating = 0;
  #quiet: Promise<void> = Promise.resolve();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#ends = new Ends(parts);
  }

  /** Ends of sessions that the disk did not take are written now, if it does. */
  settle(): Promise<void> {
    return this.#ends.settle();
  }

  /** No new session from now on. */
  close(): void {
    this.#closing = true;
  }

  /** No session is alive or about to be. */
  get idle(): boolean {
    return this.#creating === 0 && this.#parts.registry.size === 0;
  }

  /** Does something that no session may straddle; those ordered meanwhile wait. */
  async quiesce(work: () => Promise<void>): Promise<void> {
    this.#quiet = work().catch((error: unknown) => this.#parts.log.fault('between sessions', error));
    await this.#quiet;
  }

  async create(request: SessionOrder, by: string): Promise<StoredSession> {
    this.#creating += 1;
    try {
      await this.#quiet;
      return await this.#create(request, by);
    } finally {
      this.#creating -= 1;
    }
  }

  async #create(request: SessionOrder, by: string): Promise<StoredSession> {
    const { registry, store, feed } = this.#parts;
    if (this.#closing) throw refusal('shutting-down', 'cordond is going down', ['cordon up']);
    if (registry.size >= limits.sessionsAliveMax) {
      throw refusal('too-many-sessions', `${limits.sessionsAliveMax} sessions are alive`, [
        'cordon ps',
        'cordon kill SESSION',
      ]);
    }
    const plan = await planSession(request, this.#parts.plan);
    this.#refuseStopped(plan);
    const detail = { policy: plan.policy, cwd: plan.order.cwd, env: plan.order.env };
    const live = createLive(detail, { state: 'starting', sandbox: null, exit: null }, false);
    registry.add(live);
    try {
      await this.#recordOrder(plan, request, by);
      await this.#parts.labels.begins(plan.policy);
      await this.#parts.backends.pushSession(live.id);
      // A stop that came meanwhile has found this session in the registry; it must not start after it was stopped.
      this.#refuseStopped(plan);
      const starting = this.#parts.backends.supervisor('start', plan.order);
      // The database's fdatasync and the start side by side: a sandbox without a record here would be ended (reconcile).
      const [report] = await Promise.all([starting, store.create(toRecord(plan))]);
      await this.#started(live, report);
    } catch (error: unknown) {
      await this.#failed(live, error);
      throw startFailure(error);
    } finally {
      live.begun.resolve();
    }
    feed.changed(live.id);
    return await this.get(live.id);
  }

  /** @throws CordonError `not-found` */
  async get(id: string): Promise<StoredSession> {
    const stored = await this.#parts.store.get(id);
    if (stored === null) throw refusal('not-found', `there is no session ${id}`, ['cordon ps']);
    return stored;
  }

  async exec(
    id: string,
    order: {
      command: readonly string[];
      env: Readonly<Record<string, string>>;
      cwd?: string | undefined;
      terminal: { cols: number; rows: number } | null;
    },
    by: string,
    ifMatch: string | null,
  ): Promise<string> {
    const live = await this.#requireLive(id, ifMatch);
    const [stop] = this.#parts.stops.of(live);
    if (stop !== undefined) throw stopped(stop);
    if (order.cwd?.startsWith('/') === false) throw refusal('request-invalid', 'body.cwd: an absolute path');
    const exec = createId('exec', this.#parts.clock, this.#parts.random);
    await this.#parts.recorder.admin(
      by,
      'exec',
      {
        exec,
        command: order.command.slice(0, 16).map((word) => word.slice(0, 256)),
        variables: Object.keys(order.env).slice(0, 64),
      },
      id,
    );
    const env = { ...live.env, ...(order.terminal === null ? {} : { TERM: 'xterm-256color' }), ...order.env };
    const started = await this.#parts.backends.supervisor('exec', {
      session: id,
      exec,
      command: order.command,
      env,
      cwd: order.cwd ?? live.cwd,
      terminal: order.terminal,
    });
    return started.exec;
  }

  /** The supervisor's word that a session is over. May come twice (it is repeated until it was answered). */
  async exited(params: SupervisorEvents['session.exited']['params']): Promise<void> {
    const live = this.#parts.registry.find(params.session);
    if (live === null) return;
    // A short command can end before the answer to its own start was worked through; its record comes first.
    await live.begun.promise;
    await this.#end(live, params.exit, params.teardown);
  }

  /**
   * After each (re)connection: what the store holds for alive and the supervisor does not know is lost with the
   * supervisor that had it; what runs there without a record here is ended.
   * @returns what was found, in words, for `status`
   */
  async reconcile(sessions: readonly SessionReport[]): Promise<string[]> {
    const { registry, log } = this.#parts;
    const found: string[] = [];
    const known = new Map(sessions.map((report) => [report.session, report]));
    for (const live of registry.all()) {
      const report = known.get(live.id);
      // A start under way answers by itself: the supervisor may know the session only after this list was made.
      if (live.state === 'starting' && !live.recovered) continue;
      if (report === undefined) {
        found.push(`session ${live.id} was lost with its supervisor`);
        await this.#end(live, { status: 137, reason: 'lost', signal: null, detail: 'its supervisor ended' }, []);
      } else if (report.exit !== null) {
        await this.#end(live, report.exit, []);
      } else if (report.state !== 'ended') {
        await this.#setState(live, report.state);
      }
    }
    const unknown = sessions.filter((report) => report.state !== 'ended' && registry.find(report.session) === null);
    if (unknown.length > 0) {
      found.push(`${unknown.length} sandboxes without a record were ended`);
      const ids = unknown.map((report) => report.session);
      log.warn(`sandboxes without a record: ${ids.join(' ')}`);
      await this.#parts.backends.supervisor('kill', { sessions: ids, reason: 'no record of this session' });
    }
    return found;
  }

  /** At shutdown: the supervisor has ended them; whose end it could not tell any more is ended here. */
  async endAll(reason: string): Promise<void> {
    for (const live of this.#parts.registry.all()) {
      await this.#end(live, { status: 137, reason: 'killed', signal: null, detail: reason }, []);
    }
  }

  /** For sessions that were frozen or thawed. */
  async setState(id: string, state: 'running' | 'frozen'): Promise<void> {
    const live = this.#parts.registry.find(id);
    if (live !== null) await this.#setState(live, state);
  }

  async #setState(live: LiveSession, state: LiveSession['state']): Promise<void> {
    if (live.state === state || live.state === 'ended') return;
    live.state = state;
    await this.#parts.store.update(live.id, { state });
    this.#parts.feed.changed(live.id);
  }

  #refuseStopped(plan: SessionPlan): void {
    const { stops } = this.#parts;
    const stop = stops.of({ id: plan.order.session, agent: plan.order.agent })[0] ?? stops.againstNew(plan.order.agent);
    if (stop !== null) throw stopped(stop);
  }

  async #requireLive(id: string, ifMatch: string | null): Promise<LiveSession> {
    const stored = await this.get(id);
    checkEtag(stored, ifMatch);
    const live = this.#parts.registry.find(id);
    if (live === null) throw refusal('session-ended', `session ${id} has ended`, [`cordon show ${id}`]);
    return live;
  }

  /** Before anything runs: what was ordered, by whom, under which policy. The tier is `os`: the start waits for no disk. */
  async #recordOrder(plan: SessionPlan, request: SessionOrder, by: string): Promise<void> {
    const { order, policy } = plan;
    const { generation, digest } = this.#parts.tenantPolicy();
    // Values of variables may be a person's secrets: names only.
    const { env, files, ...rest } = order;
    const placed = files.map(({ path, content, mode }) => ({ path, mode, digest: digestBytes(content) }));
    const kept = {
      order: { ...rest, caCertificate: null, env: Object.keys(env).sort(), files: placed },
      policy,
      task: request.task ?? null,
    };
    await this.#parts.recorder.record(
      {
        type: 'session.start',
        session: order.session,
        data: {
          phase: 'order',
          agent: order.agent,
          person: policy.person,
          by,
          profile: plan.profile,
          chain: policy.chain,
          // What a person told the agent to do stands in the sealed order alone.
          program: (order.command[0] ?? '').slice(0, 256),
          workspace: order.workspace.path,
          mode: order.workspace.mode,
          start: startLevels(policy.labels),
          // Bounded, as each of them may hold labels that the session starts with.
          readOnly: order.readOnly.filter((path) => path.length <= 256).slice(0, 32),
          generation,
          tenantPolicy: digest,
          revision: policy.revision,
          weaker: order.allowWeaker,
          grants: plan.grants.slice(0, 32).map((words) => words.slice(0, 256)),
          variables: plan.personEnv.slice(0, 64).map((name) => name.slice(0, 64)),
          overrides: this.#parts.overrides(),
        },
        body: JSON.stringify(kept),
      },
      'os',
    );
  }

  async #started(live: LiveSession, report: SessionReport): Promise<void> {
    live.sandbox = report.sandbox;
    await this.#parts.recorder.record(
      {
        type: 'session.start',
        session: live.id,
        data: { phase: 'running', sandbox: toRecordable(report.sandbox) },
      },
      'os',
    );
    if (live.state === 'starting') live.state = report.state === 'frozen' ? 'frozen' : 'running';
    await this.#parts.store.update(live.id, { sandbox: report.sandbox, state: live.state });
    // Stopped between the last look and the barrier: the stop has been sent to the supervisor, which refuses or kills;
    // one that found nothing to kill yet is repeated here.
    const kill = this.#parts.stops.of(live).find((stop) => stop.strength === 'kill');
    if (kill !== undefined) await this.#parts.backends.supervisor('kill', { sessions: [live.id], reason: kill.reason });
    else if (this.#parts.stops.of(live).length > 0)
      await this.#parts.backends.supervisor('freeze', { sessions: [live.id] });
  }

  async #failed(live: LiveSession, error: unknown): Promise<void> {
    this.#parts.log.fault(`session ${live.id} did not start`, error);
    await this.#parts.backends.supervisor('kill', { sessions: [live.id], reason: 'the start failed' }).catch(() => []);
    const kill = this.#parts.stops.of(live).find((stop) => stop.strength === 'kill');
    const detail = kill?.reason ?? (error instanceof Error ? error.message.slice(0, 500) : null);
    const exit: ExitReport = {
      status: kill === undefined ? 70 : 137,
      reason: kill === undefined ? 'lost' : 'killed',
      signal: null,
      detail,
    };
    await this.#end(live, exit, []).catch((cause: unknown) => {
      this.#parts.log.fault(`session ${live.id}: end not recorded`, cause);
    });
  }

  async #end(live: LiveSession, exit: ExitReport, teardown: readonly TeardownItem[]): Promise<void> {
    if (live.state === 'ended') return await live.ended.promise;
    live.state = 'ended';
    live.exit = exit;
    const { registry, feed, backends, log } = this.#parts;
    try {
      await backends.closeSession(live.id).catch((error: unknown) => log.fault(`gateway: close ${live.id}`, error));
      await this.#ends.record(live, exit, teardown);
    } finally {
      registry.remove(live.id);
      live.ended.resolve();
      feed.changed(live.id);
    }
  }
}

/** Ours keep their code; the supervisor's and the driver's become one, with their own code and words in the detail. */
function startFailure(error: unknown): unknown {
  if (isCordonError(error) && error.expose && isControlCode(error.code)) return error;
  const words = isCordonError(error) && error.expose ? `: ${error.message} (${error.code})` : '';
  const steps = isCordonError(error) && error.expose ? error.nextSteps : ['read the log of cordond'];
  return refusal('start-failed', `the sandbox did not start${words}`, ['cordon doctor', ...steps], error);
}

function toRecord(plan: SessionPlan): SessionRecord {
  const { order, policy } = plan;
  const live = { policy, cwd: order.cwd, env: order.env };
  return {
    id: order.session,
    tenant: order.tenant,
    agent: order.agent,
    profile: plan.profile,
    person: policy.person,
    state: 'starting',
    command: order.command,
    workspace: order.workspace.path,
    workspaceMode: order.workspace.mode,
    startedAt: policy.startedAt,
    endedAt: null,
    sandbox: null,
    exit: null,
    grants: plan.grants,
    detail: { live: live as unknown as RecordValue, policy: policy as unknown as RecordValue },
  };
}
