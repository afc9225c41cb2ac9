import { createSnapshot, type Engine, explain, type Facts, nearestAllowed, noApproval } from '@cordon/policy';
import type { ApprovalRecord, Explanation, Intent, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import type { HoldStore, SessionStore, StoredAnswer } from '@cordon/store';
import { limits } from '../limits.ts';
import type { Decisions } from './decisions.ts';

export interface ExplainerParts {
  readonly engine: Engine;
  readonly decisions: Decisions;
  readonly sessions: SessionStore;
  readonly holds: Pick<HoldStore, 'list'>;
  /** Any generation that ever was in force. */
  generation(number: number): Promise<TenantPolicy | null>;
}

/**
 * Why a decision came out as it did: judged again, by the policy that was in force then, from the intent and facts that
 * were kept then. Where one of these is gone, what was recorded is shown without the part that it would have given.
 */
export class Explainer {
  readonly #parts: ExplainerParts;

  constructor(parts: ExplainerParts) {
    this.#parts = parts;
  }

  /** @throws CordonError `not-found` */
  async explain(attempt: string): Promise<Explanation> {
    const { row, body, decision } = await this.#parts.decisions.get(attempt);
    const shown: Explanation = {
      decision,
      record: { ...(body.decision ?? row.data) },
      intent: body.intent === null ? null : { ...body.intent },
      facts: body.facts === null ? null : { ...body.facts },
      layers: [],
      policies: {},
      nearest: [],
      approvals: await this.#approvals(row.session, decision.intent),
    };
    const tenant = await this.#parts.generation(decision.generation);
    const stored = await this.#parts.sessions.get(row.session);
    const session = stored?.detail['policy'] as unknown as SessionPolicy | undefined;
    if (tenant === null || session === undefined || body.intent === null || body.facts === null) return shown;
    if (session.revision !== decision.revision) return shown;
    // As it was decided: a session that has been stopped since would explain every decision by that.
    const made = createSnapshot(this.#parts.engine, tenant, {
      ...session,
      stopped: decision.code === 'session-stopped',
    });
    if (!made.ok) return shown;
    const [intent, facts] = [body.intent as unknown as Intent, body.facts as unknown as Facts];
    // What people had approved when it was decided is part of what it was decided by.
    const approval = (body.all['approval'] as unknown as typeof noApproval | undefined) ?? noApproval;
    const again = explain(made.snapshot, intent, facts, approval);
    const nearest = nearestAllowed(made.snapshot, intent, facts, approval);
    return {
      ...shown,
      layers: again.layers.map(({ layer, permits, forbids }) => ({
        layer,
        permits: [...permits],
        forbids: [...forbids],
      })),
      policies: { ...again.policies },
      nearest: nearest.map((changes) => changes.map((change) => ({ ...change }))),
    };
  }
  /** The intent is content only, so every question about these bytes in this session belongs to the chain. */
  async #approvals(session: string, intent: string): Promise<Explanation['approvals']> {
    const { items } = await this.#parts.holds.list({ session, limit: limits.pageItemsMax });
    return items
      .filter((hold) => hold.record.intent === intent)
      .reverse()
      .map(({ record, state, at, answers }) => ({
        hold: record.id,
        state,
        rung: { quorum: record.rung.quorum, strong: record.rung.strong },
        at,
        answers: answers.map(answerOf),
      }));
  }
}

/** Checked when it was taken; here it is only shown. */
function answerOf({ envelope, at }: StoredAnswer): Explanation['approvals'][number]['answers'][number] {
  const { payload } = envelope as { readonly payload: string };
  const { person, verdict } = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as ApprovalRecord;
  return { person: person.sub, verdict, at };
}
