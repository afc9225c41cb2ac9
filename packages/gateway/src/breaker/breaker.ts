import { type BreakerLevel, coreRuleIds } from '@cordon/policy';
import type { Intent, OpenBreakers } from '@cordon/protocol';
import type { Road } from '../ask.ts';
import { codeOf } from '../failure.ts';
import { breakerEntry } from '../record.ts';
import type { Session } from '../session/session.ts';
import type { Denied } from '../verdict.ts';

/** Of the session's own breaker and of the destination's, the stricter. For one ask: it may be a closed destination's probe. */
export function breakerLevel({ clock, sinks }: Road, session: Session, intent: Intent): BreakerLevel {
  const now = clock.monotonic();
  const own = session.breakers.level(intent, now);
  const sink = own === 2 ? 2 : sinks.ask(intent.resource, now);
  return sink > own ? sink : own;
}

/** Denials that say nothing of what the agent asks for: it would be closed out for an outage of ours. */
const ofOurs: ReadonlySet<string> = new Set(['stale-policy', 'session-stopped', 'slow-decision']);

/** What the breaker itself denied says nothing new, so it does not count. */
export function noteDenied(road: Road, session: Session, { intent, record, by, code }: Denied): void {
  if (ofOurs.has(code)) return;
  if (by === 'policy' && record.reasons.includes(coreRuleIds.breaker)) return;
  const tripped = session.breakers.denied(intent, road.clock.monotonic());
  if (tripped === null) return;
  const { action, resource, level } = tripped;
  write(road, session.id, { act: 'trip', action, resource, level });
}

/** `failed` null: the destination was not asked. */
export function noteOutcome(road: Road, session: Session, resource: string, failed: boolean | null): void {
  if (failed === null || !road.sinks.outcome(resource, failed, road.clock.monotonic())) return;
  write(road, session.id, { act: 'close', resource });
}

export function openBreakers({ clock, sinks }: Road, sessions: readonly Session[]): OpenBreakers {
  const now = clock.monotonic();
  const open = sessions.flatMap(({ id, breakers }) => breakers.open(now).map((each) => ({ session: id, ...each })));
  return { sessions: open, destinations: sinks.closed() };
}

/** By a person: of one session, or with null the destinations. Says how many were open. */
export function resetBreakers(road: Road, sessions: readonly Session[], id: string | null): number {
  if (id === null) return road.sinks.reset();
  const session = sessions.find((each) => each.id === id);
  if (session === undefined) return 0;
  write(road, id, { act: 'reset' });
  return session.breakers.reset(road.clock.monotonic());
}

/** Not waited for: a breaker that could not be recorded holds all the same, and a journal that is down denies anyway. */
function write(road: Road, session: string, data: Parameters<typeof breakerEntry>[1]): void {
  road.journal.append(breakerEntry(session, data), 'os').catch((error: unknown) => {
    road.report('error', codeOf(error), 'a breaker could not be recorded');
  });
}
