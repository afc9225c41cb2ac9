import type { Entry } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { listWriters } from '../journal/segment.ts';
import { limits } from '../limits.ts';
import { type Frame, framesOf } from './frames.ts';
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

  kill(entry: Entry): number {
    const scope = (entry.data['scope'] ?? {}) as { readonly session?: unknown; readonly agent?: unknown };
    const all = scope.session === undefined && scope.agent === undefined;
    const killed = { at: Date.parse(entry.at), id: textOf(entry, 'id') ?? '' };
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

const concerns = (bytes: Buffer): boolean =>
  bytes.includes('"type":"kill"') || bytes.includes('"type":"session.start"');
const acts = (bytes: Buffer): boolean => bytes.includes('"type":"start"') || bytes.includes('"type":"decision"');

/**
 * Nothing of a killed session is allowed after its kill was recorded. Writers have clocks, not an order, in common; a
 * gateway that could not be told may go on until its lease ends, which is counted and is no failure.
 */
export function verifyKill(journals: string): PartReport {
  const findings = new Findings('kill');
  const kills = new Kills();
  for (const writer of listWriters(journals)) {
    for (const { entry, failure } of framesOf(journals, writer, concerns)) {
      if (entry.type === 'session.start' && textOf(entry, 'phase') === 'order') {
        if (entry.session !== null && kills.of(entry.session) !== null) {
          findings.fail(failure('after-kill', `${entry.session} was ordered again after it was killed`));
        }
        kills.started(entry);
      } else if (entry.type === 'kill') {
        findings.count('kills');
        findings.count('killed', kills.kill(entry));
      }
    }
  }
  for (const writer of listWriters(journals)) {
    for (const frame of framesOf(journals, writer, acts)) checkAct(frame, kills, findings);
  }
  return findings.report();
}

function checkAct({ entry, failure }: Frame, kills: Kills, findings: Findings): void {
  if (entry.session === null) return;
  if (entry.type !== 'start' && !(entry.type === 'decision' && entry.data['outcome'] === 'allow')) return;
  const killed = kills.of(entry.session);
  const late = killed === null ? 0 : Date.parse(entry.at) - killed.at;
  if (late <= 0) return;
  if (late <= limits.killLeaseMs) findings.count('withinLease');
  else findings.fail(failure('after-kill', `${entry.type} ${late} ms after the kill ${killed?.id}`));
}
