import {
  type Clock,
  createId,
  type Random,
  type StopReport,
  type SupervisorMethods,
  timestamp,
} from '@cordon/protocol';
import type { SettingStore, StopStore } from '@cordon/store';
import { refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { LiveSession } from '../sessions/live.ts';
import type { SessionRegistry } from '../sessions/registry.ts';
import { type StopRecord, type StopScope, type StopTable, sameScope, scopeArgument } from './table.ts';

export interface StopParts {
  readonly table: StopTable;
  readonly store: StopStore;
  readonly settings: SettingStore;
  readonly registry: SessionRegistry;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  supervisor<K extends 'freeze' | 'thaw' | 'kill'>(
    method: K,
    params: SupervisorMethods[K]['params'],
    timeoutMs?: number,
  ): Promise<StopReport[]>;
  /** True: it answered nothing, and was ended with all that it ran. */
  endSilentSupervisor(): Promise<boolean>;
  /** Something is about to be stopped or lifted, whether or not a session of it is alive. */
  touched(scope: StopScope): void;
  stopAtGateway(session: string, stopped: boolean): Promise<void>;
  setState(session: string, state: 'running' | 'frozen'): Promise<void>;
}

export interface StopAnswer {
  readonly stop: StopRecord;
  readonly sessions: StopReport[];
}

const epochKey = 'stop.epoch';

/**
 * Freeze, kill and lift. A stop acts first and is recorded then (stop.md §1): a full disk must not save an agent.
 * A lift is the other way round: what cannot be recorded is not lifted.
 */
export class Stops {
  readonly #parts: StopParts;

  constructor(parts: StopParts) {
    this.#parts = parts;
  }

  async stop(scope: StopScope, strength: StopRecord['strength'], reason: string, by: string): Promise<StopAnswer> {
    const { clock, random, registry, table } = this.#parts;
    const stop: StopRecord = {
      id: createId('stop', clock, random),
      scope,
      strength,
      reason,
      at: timestamp(clock),
      by,
      liftedAt: null,
    };
    if ('session' in scope && registry.find(scope.session) === null) {
      throw refusal('not-found', `no session ${scope.session} is alive`, ['cordon ps']);
    }
    // INVARIANT: from this line on nothing new starts in the scope; no await stands before it.
    table.add(stop);
    this.#parts.touched(scope);
    const targets = registry.within(scope);
    const sessions = await this.#carryOut(targets, strength, reason);
    await this.#record(stop, sessions).catch((cause: unknown) => {
      this.#parts.log.fault(`${strength} not recorded`, cause);
      const words = `the ${strength} was carried out, but could not be recorded`;
      throw refusal('ledger-unavailable', words, ['check the disk of $CORDON_HOME', 'repeat the command'], cause);
    });
    if (strength === 'kill') await this.#awaitEnds(targets);
    return { stop, sessions };
  }

  async lift(scope: StopScope, reason: string, by: string): Promise<{ lifted: StopRecord[]; thawed: string[] }> {
    const { table, store, clock, registry, recorder } = this.#parts;
    const found = table.active.filter((stop) => sameScope(stop.scope, scope));
    if ('session' in scope && found.some((stop) => stop.strength === 'kill')) {
      throw refusal('stop-permanent', `session ${scope.session} was killed, and a killed session never returns`, [
        'start a new session',
      ]);
    }
    if (found.length === 0 && !this.#leftFrozen(scope)) throw this.#nothingToLift(scope);
    const epoch = await this.#raiseEpoch();
    const ids = found.map((stop) => stop.id);
    const at = timestamp(clock);
    await recorder.record(
      { type: 'lift', session: null, data: { scope: { ...scope }, stops: ids, by, reason, epoch, at } },
      'disk',
    );
    await store.lift(scope, at, { kills: true });
    this.#parts.touched(scope);
    table.remove(ids);
    const free = registry.within(scope).filter((session) => table.of(session).length === 0);
    const thawed: string[] = [];
    for (const session of free) {
      if (session.state !== 'frozen') continue;
      registry.setStopped(session, false);
      await this.#parts.stopAtGateway(session.id, false);
      const [report] = await this.#parts.supervisor('thaw', { sessions: [session.id] });
      if (report?.confirmed !== true) continue;
      await this.#parts.setState(session.id, 'running');
      thawed.push(session.id);
    }
    return { lifted: found.map((stop) => ({ ...stop, liftedAt: at })), thawed };
  }

  /** After a reconnection: whatever should be stopped is stopped again; a stop never depends on who still remembers. */
  async enforce(): Promise<void> {
    const { registry, table } = this.#parts;
    for (const session of registry.all()) {
      const stops = table.of(session);
      if (stops.length === 0) continue;
      const strength = stops.some((stop) => stop.strength === 'kill') ? 'kill' : 'freeze';
      await this.#carryOut([session], strength, stops.at(-1)?.reason ?? '');
    }
  }

  async #carryOut(
    targets: readonly LiveSession[],
    strength: StopRecord['strength'],
    reason: string,
  ): Promise<StopReport[]> {
    const { registry, log } = this.#parts;
    for (const session of targets) registry.setStopped(session, true);
    if (targets.length === 0) return [];
    const ids = targets.map((session) => session.id);
    const atSupervisor =
      strength === 'kill'
        ? this.#killAtSupervisor({ sessions: ids, reason })
        : this.#parts.supervisor('freeze', { sessions: ids }, limits.stopCallTimeoutMs);
    // Side by side: neither waits for the other, and one that hangs does not save what the other stops.
    const gateways = Promise.allSettled(ids.map((id) => this.#parts.stopAtGateway(id, true)));
    const [reports] = await Promise.all([
      atSupervisor.catch((error: unknown): StopReport[] => {
        log.fault(`${strength} of ${ids.length} sessions`, error);
        return [];
      }),
      gateways,
    ]);
    const byId = new Map(reports.map((report) => [report.session, report]));
    for (const session of targets) {
      if (strength === 'freeze' && byId.get(session.id)?.confirmed === true) {
        await this.#parts.setState(session.id, 'frozen').catch((error: unknown) => log.fault('frozen', error));
      }
    }
    // Who was not answered for is unconfirmed, never done.
    return ids.map((id) => byId.get(id) ?? { session: id, confirmed: false, ms: 0, processesLeft: -1 });
  }

  /** A supervisor that says nothing is ended; the one after it proves that nothing of the old one's is left. */
  async #killAtSupervisor(order: SupervisorMethods['kill']['params']): Promise<StopReport[]> {
    const kill = (): Promise<StopReport[]> => this.#parts.supervisor('kill', order, limits.stopCallTimeoutMs);
    const answer = kill();
    const answered = answer.then(
      () => true,
      () => true,
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), limits.killPatienceMs);
    });
    const inTime = await Promise.race([answered, late]);
    clearTimeout(timer);
    return !inTime && (await this.#parts.endSilentSupervisor()) ? await kill() : await answer;
  }

  async #record(stop: StopRecord, sessions: readonly StopReport[]): Promise<void> {
    const { store, recorder } = this.#parts;
    // The store first: after a crash it is what keeps the scope stopped.
    await store.insert(stop);
    const epoch = await this.#raiseEpoch();
    const data = {
      id: stop.id,
      scope: { ...stop.scope },
      by: stop.by,
      reason: stop.reason,
      epoch,
      sessions: sessions.slice(0, 100).map(({ session, confirmed, processesLeft, ms }) => ({
        session,
        confirmed,
        processesLeft,
        ms: Math.round(ms),
      })),
    };
    await recorder.record(
      { type: stop.strength, session: 'session' in stop.scope ? stop.scope.session : null, data },
      'disk',
    );
  }

  /** Every stop and lift raises it, so that "before" and "after" a stop is a comparison of two numbers. */
  async #raiseEpoch(): Promise<number> {
    const { settings, recorder } = this.#parts;
    const epoch = Number((await settings.get(epochKey)) ?? 0) + 1;
    await settings.set(epochKey, String(epoch));
    await recorder.record({ type: 'epoch', session: null, data: { epoch } }, 'os');
    return epoch;
  }

  async #awaitEnds(targets: readonly LiveSession[]): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, limits.stopEndWaitMs).unref());
    await Promise.race([Promise.all(targets.map((session) => session.ended.promise)), late]);
  }

  /** A crash between a freeze and its record, or between the record of a lift and the thaw, leaves a session frozen by no stop. */
  #leftFrozen(scope: StopScope): boolean {
    const { table, registry } = this.#parts;
    return registry.within(scope).some((session) => session.state === 'frozen' && table.of(session).length === 0);
  }

  #nothingToLift(scope: StopScope) {
    const { table, registry } = this.#parts;
    const live = 'session' in scope ? registry.find(scope.session) : null;
    const wider = live === null ? [] : table.of(live);
    const steps = wider.map((stop) => `cordon unfreeze ${scopeArgument(stop.scope)}`);
    return refusal(
      'not-found',
      `nothing of ${scopeArgument(scope)} is stopped`,
      steps.length > 0 ? steps : ['cordon ps'],
    );
  }
}
