import type { Entry } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { listWriters } from '../journal/segment.ts';
import { limits } from '../limits.ts';
import { type Frame, framesOf, mayBe } from './frames.ts';
import { Findings, type PartReport } from './report.ts';

interface Killed {
  readonly at: number;
  readonly id: string;
}

/** What each kill was about: whatever the control plane had ordered within its scope until then. */
class Kills {
  readonly #agents = new Map<string, string>();
  readonly #killed = new Map<string, Killed>();

  of(session: string): Killed | null {
    return this.#killed.get(session) ?? null;
  }

  started(entry: Entry): void {
    if (entry.session !== null) this.#agents.set(entry.session, textOf(entry, 'agent') ?? '');
  }

  get any(): boolean {
    return this.#killed.size > 0;
  }

  /** `now`: the latest time that its writer had written by then. */
  kill(entry: Entry, now: number): number {
    const scope = (entry.data['scope'] ?? {}) as { readonly session?: unknown; readonly agent?: unknown };
    const all = scope.session === undefined && scope.agent === undefined;
    const killed = { at: now, id: textOf(entry, 'id') ?? '' };
    let targets = 0;
    for (const [session, agent] of this.#agents) {
      if (!all && scope.session !== session && scope.agent !== agent) continue;
      if (this.#killed.has(session)) continue;
      this.#killed.set(session, killed);
      targets += 1;
    }
    return targets;
  }
}

const orders: ReadonlySet<string> = new Set(['kill', 'session.start', 'heartbeat']);
const lettings: ReadonlySet<string> = new Set(['start', 'decision']);
const concerns = (bytes: Buffer): boolean => mayBe(bytes, orders);
const acts = (bytes: Buffer): boolean => mayBe(bytes, lettings);

/**
 * Nothing of a killed session is allowed after its kill was recorded. Writers have clocks, not an order, in common; a
 * gateway that could not be told may go on until its lease ends, which is counted and is no failure. A clock that was
 * put forward and back again is no failure either: what stands before an entry in its journal was not later than it.
 */
export function verifyKill(journals: string): PartReport {
  const findings = new Findings('kill');
  const kills = new Kills();
  for (const writer of listWriters(journals)) {
    let now = 0;
    for (const { entry, failure } of framesOf(journals, writer, concerns)) {
      now = Math.max(now, Date.parse(entry.at));
      if (entry.type === 'session.start' && textOf(entry, 'phase') === 'order') {
        if (entry.session !== null && kills.of(entry.session) !== null) {
          findings.fail(failure('after-kill', `${entry.session} was ordered again after it was killed`));
        }
        kills.started(entry);
      } else if (entry.type === 'kill') {
        findings.count('kills');
        findings.count('killed', kills.kill(entry, now));
      }
    }
  }
  // Where nobody was killed, nothing can have come after it.
  if (kills.any) for (const writer of listWriters(journals)) checkActs(journals, writer, kills, findings);
  return findings.report();
}

function checkActs(journals: string, writer: string, kills: Kills, findings: Findings): void {
  const late: Frame[] = [];
  for (const frame of framesOf(journals, writer, acts)) {
    if (lateness(frame.entry, kills, Infinity) > 0) late.push(frame);
  }
  if (late.length === 0) return;
  const latest = latestTimes(journals, writer);
  for (const { entry, failure } of late) {
    const ms = lateness(entry, kills, latest(entry.wseq));
    if (ms <= 0) continue;
    if (ms <= limits.killLeaseMs) findings.count('withinLease');
    else
      findings.fail(
        failure('after-kill', `${entry.type} ${ms} ms after the kill ${kills.of(entry.session ?? '')?.id}`),
      );
  }
}

/** How long after the kill of its session something was let through, at a time that was not after `latest`. */
function lateness(entry: Entry, kills: Kills, latest: number): number {
  const lets = entry.type === 'start' || (entry.type === 'decision' && entry.data['outcome'] === 'allow');
  const killed = entry.session === null || !lets ? null : kills.of(entry.session);
  return killed === null ? 0 : Math.min(Date.parse(entry.at), latest) - killed.at;
}

/** For each entry of a writer, the earliest time that it or anything behind it says. */
function latestTimes(journals: string, writer: string): (wseq: number) => number {
  const times: number[] = [];
  for (const { entry } of framesOf(journals, writer, () => true)) times[entry.wseq] = Date.parse(entry.at);
  let earliest = Infinity;
  for (let wseq = times.length - 1; wseq >= 0; wseq--) {
    earliest = Math.min(earliest, times[wseq] ?? Infinity);
    times[wseq] = earliest;
  }
  return (wseq) => times[wseq] ?? Infinity;
}
