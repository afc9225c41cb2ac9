import type { SessionPolicy } from '@cordon/protocol';
import type { SessionStore, StoredSession } from '@cordon/store';
import { refusal } from '../error.ts';
import type { StopScope } from '../stops/table.ts';
import { covers } from '../stops/table.ts';
import { createLive, type LiveDetail, type LiveSession } from './live.ts';

/** The sessions that are alive, in memory, as loaded from the store and as they come and go. */
export class SessionRegistry {
  readonly #live = new Map<string, LiveSession>();

  static async open(store: SessionStore): Promise<SessionRegistry> {
    const registry = new SessionRegistry();
    let cursor: string | undefined;
    do {
      const page: Awaited<ReturnType<SessionStore['list']>> = await store.list({
        state: ['starting', 'running', 'frozen'],
        cursor,
      });
      for (const stored of page.items) {
        registry.add(createLive(stored.detail['live'] as unknown as LiveDetail, stored, true));
      }
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    return registry;
  }

  get size(): number {
    return this.#live.size;
  }

  all(): readonly LiveSession[] {
    return [...this.#live.values()];
  }

  ids(): readonly string[] {
    return [...this.#live.keys()];
  }

  find(id: string): LiveSession | null {
    return this.#live.get(id) ?? null;
  }

  within(scope: StopScope): readonly LiveSession[] {
    return this.all().filter((session) => covers(scope, session));
  }

  policyOf(id: string): SessionPolicy | null {
    return this.#live.get(id)?.policy ?? null;
  }

  add(session: LiveSession): void {
    this.#live.set(session.id, session);
  }

  remove(id: string): void {
    this.#live.delete(id);
  }

  setStopped(session: LiveSession, stopped: boolean): void {
    session.policy = { ...session.policy, stopped };
  }
}

/** @throws CordonError `etag-mismatch` */
export function checkEtag(stored: Pick<StoredSession, 'etag'>, ifMatch: string | null): void {
  if (ifMatch === null || ifMatch === '*') return;
  if (ifMatch.split(',').some((tag) => tag.trim() === quoteEtag(stored.etag))) return;
  throw refusal('etag-mismatch', 'the session has changed since you read it', ['read it again, then decide']);
}

export const quoteEtag = (etag: string): string => `"${etag}"`;
