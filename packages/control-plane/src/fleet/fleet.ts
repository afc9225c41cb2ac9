import { countsAsDenial } from '@cordon/policy';
import type { Clock, FleetBreaker, RecordValue } from '@cordon/protocol';
import type { IndexedDecision } from '@cordon/store';
import type { Recorder } from '../ledger/recorder.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { SessionFeed } from '../sessions/feed.ts';
import { type FleetAlarm, FleetWatch } from './watch.ts';

/** What an alarm does, once everything that it does it with is there. */
export interface FleetActs {
  readonly recorder: Pick<Recorder, 'record'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly feed: SessionFeed;
  /** What the policy in force says: tell people, or also freeze the sessions that were denied. */
  readonly says: () => FleetBreaker;
  /** To the tenant's webhook, where there is one. */
  readonly tell: (alarm: RaisedAlarm) => void;
  readonly isAlive: (session: string) => boolean;
  /** By the road that a person's freeze takes, so that a person's `unfreeze` lifts it. */
  readonly freeze: (session: string, reason: string) => Promise<void>;
}

export interface RaisedAlarm {
  readonly id: string;
  readonly at: string;
  readonly resource: string;
  readonly sessions: readonly string[];
  readonly agents: readonly string[];
  /** Sessions that were frozen for it. */
  readonly frozen: readonly string[];
}

/**
 * The breaker of a fleet (validation.md §7): one resource denied in many sessions of several agents is a sign that no
 * session's own breaker sees. It tells people; it freezes only where the policy says so, and only who was denied itself.
 */
export class Fleet {
  readonly #watch = new FleetWatch();
  #acts: FleetActs | null = null;
  /** Raised before anything could be done about it. */
  #early: FleetAlarm[] = [];
  #raised: readonly RaisedAlarm[] = [];
  #number = 0;

  /** Decisions that the ledger has taken in. */
  denied(decisions: readonly IndexedDecision[]): void {
    for (const { session, agent, resource, at, outcome, code, data } of decisions) {
      const by = data['by'] === 'gateway' ? 'gateway' : 'policy';
      if (!countsAsDenial({ outcome, by, code, reasons: textsIn(data['reasons']) })) continue;
      const alarm = this.#watch.note({ session, agent, resource, at: Date.parse(at) });
      if (alarm !== null) this.#raise(alarm);
    }
  }

  begin(acts: FleetActs): void {
    this.#acts = acts;
    for (const alarm of this.#early.splice(0)) this.#raise(alarm);
  }

  /** Those of the last hour, newest last. */
  alarms(): readonly RaisedAlarm[] {
    const since = (this.#acts?.clock.now() ?? 0) - limits.fleetShownMs;
    return this.#raised.filter(({ at }) => Date.parse(at) >= since);
  }

  find(id: string): RaisedAlarm | null {
    return this.#raised.find((alarm) => alarm.id === id) ?? null;
  }

  #raise(alarm: FleetAlarm): void {
    const acts = this.#acts;
    if (acts === null) {
      this.#early.push(alarm);
      return;
    }
    this.#act(acts, alarm).catch((error: unknown) => acts.log.fault('fleet breaker', error));
  }

  /** Stopped first and recorded then, as every stop is: a full disk must not save an agent. */
  async #act(acts: FleetActs, { resource, sessions, agents, at }: FleetAlarm): Promise<void> {
    const { recorder, log, feed } = acts;
    const words = `${resource} was denied in ${sessions.length} sessions of ${agents.length} agents`;
    const alive = acts.says() === 'freeze' ? sessions.filter((session) => acts.isAlive(session)) : [];
    const froze = await Promise.allSettled(alive.map((session) => acts.freeze(session, words)));
    for (const each of froze) if (each.status === 'rejected') log.fault('fleet breaker: freeze', each.reason);
    const frozen = alive.filter((_, i) => froze[i]?.status === 'fulfilled');
    this.#number += 1;
    const raised = { id: `${at}-${this.#number}`, at: new Date(at).toISOString(), resource, sessions, agents, frozen };
    this.#raised = [...this.#raised, raised].slice(-limits.fleetAlarmsMax);
    log.warn(`fleet breaker: ${words}`);
    feed.changed(raised.id);
    acts.tell(raised);
    const data = {
      ...{ act: 'fleet', resource, sessions: [...sessions], agents: [...agents], frozen },
      ...{ windowMs: limits.fleetWindowMs },
    };
    await recorder.record({ type: 'breaker', session: null, data }, 'disk');
  }
}

/** For `status` and `top`. */
export function alarmWords({ at, resource, sessions, agents, frozen }: RaisedAlarm): string {
  const done = frozen.length === 0 ? '' : `; ${frozen.length} frozen: cordon unfreeze SESSION`;
  return `${resource} was denied in ${sessions.length} sessions of ${agents.length} agents at ${at}${done}`;
}

function textsIn(value: RecordValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
}
