import type { HoldNews } from '@cordon/protocol';
import type { StoredHold } from '@cordon/store';

/**
 * Holds that can still let something through, and denials that still stand, in memory: a stop or a change of policy
 * takes them out in the same turn of the event loop, whatever the disk does. One for the same bytes of a session.
 */
export class LiveHolds {
  readonly #byId = new Map<string, StoredHold>();
  readonly #byIntent = new Map<string, string>();

  get(id: string): StoredHold | null {
    return this.#byId.get(id) ?? null;
  }

  of(session: string, intent: string): StoredHold | null {
    return this.get(this.#byIntent.get(keyOf(session, intent)) ?? '');
  }

  put(hold: StoredHold): void {
    this.#byId.set(hold.record.id, hold);
    this.#byIntent.set(keyOf(hold.session, hold.record.intent), hold.record.id);
  }

  remove({ session, record }: StoredHold): void {
    this.#byId.delete(record.id);
    const key = keyOf(session, record.intent);
    if (this.#byIntent.get(key) === record.id) this.#byIntent.delete(key);
  }

  all(): readonly StoredHold[] {
    return [...this.#byId.values()];
  }

  /** A denial stands until its question would have expired, and takes a place until then: asking again costs nothing. */
  countOf(session: string): number {
    return this.all().filter((hold) => hold.session === session).length;
  }

  get size(): number {
    return this.#byId.size;
  }
}

function keyOf(session: string, intent: string): string {
  return `${session} ${intent}`;
}

export function newsOf({ record, session, state, reason }: StoredHold): HoldNews {
  return { hold: record.id, session, intent: record.intent, state, reason, expires: record.expires };
}
