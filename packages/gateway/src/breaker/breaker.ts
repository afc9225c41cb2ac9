import { type CounterFacts, countsAsDenial } from '@cordon/policy';
import type { Intent, OpenBreakers } from '@cordon/protocol';
import type { Road } from '../ask.ts';
import { codeOf } from '../failure.ts';
import { breakerEntry } from '../record.ts';
import type { Session } from '../session/session.ts';
import type { Denied } from '../verdict.ts';

/** Whole milliseconds, so that what is recorded is what was counted with. */
function tickOf({ clock }: Road): number {
  return Math.floor(clock.monotonic());
}

/** The session's own breaker and the destination's. For one ask: it may be a closed destination's probe. */
export function readBreakers(road: Road, session: Session, intent: Intent): CounterFacts {
  const tick = tickOf(road);
  const { noted } = session.breakers;
  const own = session.breakers.level(intent, tick);
  return { noted, own, sink: own === 2 ? 0 : road.sinks.ask(intent.resource, tick), tick };
}

/** Counted at the time that its decision read the counters, in the order of the journal: a reader can count again. */
export function noteDenied(road: Road, session: Session, { intent, record, by, code, facts }: Denied): void {
  if (!countsAsDenial({ outcome: record.outcome, by, code, reasons: record.reasons })) return;
  const tick = facts.counters?.tick ?? tickOf(road);
  const tripped = session.breakers.denied(intent, tick);
  if (tripped === null) return;
  const { action, resource, level } = tripped;
  write(road, session.id, { act: 'trip', action, resource, level, noted: session.breakers.noted, tick });
}

/** `failed` null: the destination was not asked. Says when it was counted. */
export function noteOutcome(road: Road, session: Session, resource: string, failed: boolean | null): number {
  const tick = tickOf(road);
  if (failed === null) return tick;
  const changed = road.sinks.outcome(resource, failed, tick);
  if (changed !== null) write(road, session.id, { act: changed, resource, tick });
  return tick;
}

export function openBreakers({ clock, sinks }: Road, sessions: readonly Session[]): OpenBreakers {
  const now = Math.floor(clock.monotonic());
  const open = sessions.flatMap(({ id, breakers }) => breakers.open(now).map((each) => ({ session: id, ...each })));
  return { sessions: open, destinations: sinks.closed() };
}

/** By a person: of one session, or with null the destinations. Says how many were open. */
export function resetBreakers(road: Road, sessions: readonly Session[], id: string | null): number {
  const tick = tickOf(road);
  if (id === null) {
    write(road, null, { act: 'reset', tick });
    return road.sinks.reset();
  }
  const session = sessions.find((each) => each.id === id);
  if (session === undefined) return 0;
  write(road, id, { act: 'reset', noted: session.breakers.noted, tick });
  return session.breakers.reset(tick);
}

/** Not waited for: a breaker that could not be recorded holds all the same, and a journal that is down denies anyway. */
function write(road: Road, session: string | null, data: Parameters<typeof breakerEntry>[1]): void {
  road.journal.append(breakerEntry(session, data), 'os').catch((error: unknown) => {
    road.report('error', codeOf(error), 'a breaker could not be recorded');
  });
}
