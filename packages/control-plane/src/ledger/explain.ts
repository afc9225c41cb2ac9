import { createSnapshot, type Engine, explain, type Facts, nearestAllowed, noApproval } from '@cordon/policy';
import type { Explanation, Intent, SessionPolicy, TenantPolicy } from '@cordon/protocol';
import type { SessionStore } from '@cordon/store';
import type { Decisions } from './decisions.ts';

export interface ExplainerParts {
  readonly engine: Engine;
  readonly decisions: Decisions;
  readonly sessions: SessionStore;
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
    const again = explain(made.snapshot, intent, facts);
    const nearest = nearestAllowed(made.snapshot, intent, facts, noApproval);
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
}
