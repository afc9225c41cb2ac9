import type { Facts } from '@cordon/policy';
import type { Intent } from '@cordon/protocol';
import type { Decisions } from '../ledger/decisions.ts';
import { didNotHappen } from '../ledger/decisions.ts';
import { limits } from '../limits.ts';

/** How often something was seen, and when. */
export interface Seen {
  count: number;
  first: string;
  last: string;
  /** The latest attempt. */
  attempt: string | null;
}

/** One request of one session that was refused, however often it was tried. */
export interface Tried extends Seen {
  readonly session: string;
  readonly summary: string;
  /** What was recorded: a code of policy, of the gateway, or of where it would have gone. */
  readonly code: string;
  /** The decision was an allow, and the destination was not dialled. */
  readonly undialled: boolean;
  readonly by: 'policy' | 'gateway';
  /** null: the record of it is no longer there. */
  readonly intent: Intent | null;
  readonly facts: Facts | null;
}

export interface Collected {
  readonly tried: readonly Tried[];
  readonly sessions: readonly string[];
  readonly truncated: boolean;
}

export interface Choice {
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
  readonly since?: string | undefined;
}

/** What was denied, newest first, the same request once. */
export async function collectTried(decisions: Decisions, choices: readonly Choice[]): Promise<Collected> {
  const found = new Map<string, Tried>();
  const sessions = new Set<string>();
  let attempts = 0;
  for (const choice of choices) {
    const { session, agent, since = '' } = choice;
    if (session !== undefined) sessions.add(session);
    let cursor: string | undefined;
    do {
      const page = await decisions.rows(
        { session, agent, ...didNotHappen },
        { cursor, limit: limits.pageItemsDefault, order: 'desc' },
      );
      for (const { row, body, decision } of page.items) {
        // Rows stand in the order in which journals were read, which is that of time but for a second.
        if (row.at < since) continue;
        if (attempts >= limits.suggestAttemptsMax)
          return { tried: [...found.values()], sessions: [...sessions], truncated: true };
        attempts += 1;
        sessions.add(row.session);
        const undialled = row.outcome === 'allow';
        const code = undialled ? (row.result ?? '') : row.code;
        const key = JSON.stringify([row.session, code, decision.intent]);
        const known = found.get(key);
        if (known !== undefined) {
          known.count += 1;
          if (row.at < known.first) known.first = row.at;
          continue;
        }
        found.set(key, {
          session: row.session,
          summary: decision.summary,
          code,
          undialled,
          by: row.data['by'] === 'gateway' ? 'gateway' : 'policy',
          intent: body.intent as unknown as Intent | null,
          facts: body.facts as unknown as Facts | null,
          count: 1,
          first: row.at,
          last: row.at,
          attempt: row.attempt,
        });
      }
      const oldest = page.items.at(-1)?.row.at ?? '';
      cursor = oldest < since ? undefined : (page.next ?? undefined);
    } while (cursor !== undefined);
  }
  return { tried: [...found.values()], sessions: [...sessions], truncated: false };
}
