import { setImmediate as pause } from 'node:timers/promises';
import { authorize, createSnapshot, type Engine, type Facts, noApproval, type PolicySnapshot } from '@cordon/policy';
import type { Intent, Outcome, SessionPolicy, TenantPolicy, TrafficReport } from '@cordon/protocol';
import type { SessionStore } from '@cordon/store';
import type { DecisionRow, Decisions } from '../ledger/decisions.ts';
import { limits } from '../limits.ts';

export interface TrafficParts {
  readonly engine: Engine;
  readonly decisions: Decisions;
  readonly sessions: SessionStore;
}

/** One recorded decision under another policy. */
export interface Rejudged {
  readonly outcome: Outcome;
  readonly code: string;
  readonly reasons: readonly string[];
}

/** Judgements between two pauses, so that stops and other requests are answered meanwhile. */
const turnJudgements = 8;

/**
 * Recorded intents, judged again with the facts as they were: what a tenant's policy would have said in place of the one
 * that was in force. It judges and records nothing.
 */
export class Rejudge {
  readonly #parts: TrafficParts;
  readonly #policy: TenantPolicy;
  readonly #snapshots = new Map<string, PolicySnapshot | null>();
  #judged = 0;

  constructor(parts: TrafficParts, policy: TenantPolicy) {
    this.#parts = parts;
    this.#policy = policy;
  }

  /** Null where the record or the session is no longer there. */
  async decide({ row, body }: DecisionRow): Promise<Rejudged | null> {
    if (body.intent === null || body.facts === null) return null;
    const snapshot = await this.#snapshotOf(row.session);
    if (snapshot === null) return null;
    this.#judged += 1;
    if (this.#judged % turnJudgements === 0) await pause();
    const approval = (body.all['approval'] as unknown as typeof noApproval | undefined) ?? noApproval;
    const [intent, facts] = [body.intent as unknown as Intent, body.facts as unknown as Facts];
    const { record } = authorize(snapshot, snapshot.principal, intent, facts, approval);
    return { outcome: record.outcome, code: record.code, reasons: record.reasons };
  }

  async #snapshotOf(session: string): Promise<PolicySnapshot | null> {
    const known = this.#snapshots.get(session);
    if (known !== undefined) return known;
    const stored = await this.#parts.sessions.get(session);
    const policy = stored?.detail['policy'] as unknown as SessionPolicy | undefined;
    const made =
      policy === undefined
        ? null
        : createSnapshot(this.#parts.engine, { ...this.#policy, expires: null }, { ...policy, stopped: false });
    const snapshot = made?.ok === true ? made.snapshot : null;
    if (this.#snapshots.size >= limits.sessionsAliveMax) this.#snapshots.clear();
    this.#snapshots.set(session, snapshot);
    return snapshot;
  }
}

/** What changed, the same request once. */
export class TrafficTally {
  #decisions = 0;
  #changed = 0;
  #skipped = 0;
  readonly #changes = new Map<string, TrafficReport['changes'][number]>();

  add({ row, decision }: DecisionRow, before: Pick<Rejudged, 'outcome'> | null, after: Rejudged | null): void {
    if (before === null || after === null) {
      this.#skipped += 1;
      return;
    }
    this.#decisions += 1;
    if (before.outcome === after.outcome) return;
    this.#changed += 1;
    const key = JSON.stringify([decision.summary, before.outcome, after.outcome, after.code]);
    const known = this.#changes.get(key);
    if (known === undefined && this.#changes.size >= limits.trafficChangesMax) return;
    const latest = known === undefined || row.at > known.last;
    this.#changes.set(key, {
      summary: decision.summary,
      from: before.outcome,
      to: after.outcome,
      code: after.code,
      reasons: [...after.reasons],
      count: (known?.count ?? 0) + 1,
      attempt: latest ? row.attempt : known.attempt,
      last: latest ? row.at : known.last,
    });
  }

  report(truncated: boolean): TrafficReport {
    const changes = [...this.#changes.values()].sort((a, b) => b.count - a.count);
    return { decisions: this.#decisions, changed: this.#changed, changes, skipped: this.#skipped, truncated };
  }
}

/**
 * Everything recorded since then, newest first. `before` null: compared with what was decided at the time; what a gateway
 * denied by itself (a rate, an address) is no question of policy.
 */
export async function judgeTraffic(
  parts: TrafficParts,
  before: TenantPolicy | null,
  after: TenantPolicy,
  since: string,
): Promise<TrafficReport> {
  const old = before === null ? null : new Rejudge(parts, before);
  const fresh = new Rejudge(parts, after);
  const tally = new TrafficTally();
  let seen = 0;
  let cursor: string | undefined;
  do {
    const page = await parts.decisions.rows({}, { cursor, limit: limits.pageItemsMax, order: 'desc' });
    for (const each of page.items) {
      if (each.row.at < since) continue;
      if (++seen > limits.trafficDecisionsMax) return tally.report(true);
      const was = old === null ? recordedOf(each) : await old.decide(each);
      tally.add(each, was, await fresh.decide(each));
    }
    const oldest = page.items.at(-1)?.row.at ?? '';
    cursor = oldest < since ? undefined : (page.next ?? undefined);
  } while (cursor !== undefined);
  return tally.report(false);
}

export function recordedOf({ row }: DecisionRow): Pick<Rejudged, 'outcome'> | null {
  return row.data['by'] === 'gateway' ? null : { outcome: row.outcome };
}
