import type { KeyStore } from '@cordon/ledger';
import { type Clock, type RecordValue, timestamp } from '@cordon/protocol';
import type { Store } from '@cordon/store';
import { refusal } from '../error.ts';
import type { Log } from '../log.ts';
import type { Recorder } from './recorder.ts';

export interface ShredderParts {
  readonly keys: KeyStore;
  readonly recorder: Recorder;
  readonly store: Pick<Store, 'sessions' | 'scrub'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Makes everything that was kept of a session unreadable for ever, the salt of its hashes too: bodies stay where they
 * are, and their key goes. Entries and tree stay as they are.
 */
export class Shredder {
  readonly #parts: ShredderParts;

  constructor(parts: ShredderParts) {
    this.#parts = parts;
  }

  /** @throws CordonError `not-found` `conflict` `ledger-unavailable` */
  async shred(session: string, by: string): Promise<{ session: string; key: string; at: string }> {
    const { keys, store, clock } = this.#parts;
    const stored = await store.sessions.get(session);
    if (stored === null) throw refusal('not-found', `no session ${session}`, ['cordon ps --all']);
    if (stored.state !== 'ended') {
      throw refusal('conflict', `${session} is alive; what it does is still being sealed`, [`cordon kill ${session}`]);
    }
    const { id } = keys.of(session);
    const at = timestamp(clock);
    // In this order: a crash at any point leaves a mark, and the next start does the rest.
    keys.mark(session);
    await this.#finish(session, by);
    return { session, key: id, at };
  }

  /** After a crash between mark and end. */
  async resume(): Promise<void> {
    const { keys, log } = this.#parts;
    for (const session of keys.unfinished()) {
      await this.#finish(session, 'cordond').catch((error: unknown) => log.fault(`shredding ${session}`, error));
    }
  }

  async #finish(session: string, by: string): Promise<void> {
    const { keys, recorder, store } = this.#parts;
    // Not in the session's own sequence: its writers have forgotten its numbers long ago.
    await recorder.record({ type: 'shred', session: null, data: { session, by, key: `k_${session}` } }, 'disk');
    keys.destroy(session);
    const stored = await store.sessions.get(session);
    if (stored !== null) {
      const detail = withoutSalt(stored.detail);
      await store.sessions.update(session, { detail, command: stored.command.slice(0, 1) });
    }
    await store.scrub();
  }
}

/** What is left of a session's policy still explains which grants it had; labels name what the order spoke of. */
function withoutSalt(detail: Detail): Detail {
  const policy = detail['policy'];
  if (typeof policy !== 'object' || policy === null || Array.isArray(policy)) return {};
  const { labels: _, ...rest } = policy as Readonly<Record<string, RecordValue>>;
  return { policy: { ...rest, salt: '' } };
}

type Detail = NonNullable<Awaited<ReturnType<Store['sessions']['get']>>>['detail'];
