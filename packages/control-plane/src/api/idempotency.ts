import { type Clock, isCordonError } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { IdempotencyStore } from '@cordon/store';
import { refusal } from '../error.ts';
import { limits } from '../limits.ts';

export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * `Idempotency-Key`: the first request with a key does the work; the same request again, even while the first is
 * under way or after a restart of cordond, gets the same answer. Only successes are kept: what was refused may be
 * tried again.
 */
export class Idempotency {
  readonly #store: IdempotencyStore;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #running = new Map<string, Promise<PlainAnswer>>();

  constructor(store: IdempotencyStore, clock: Pick<Clock, 'now'>) {
    this.#store = store;
    this.#clock = clock;
  }

  async once(
    key: string,
    route: string,
    body: string,
    work: () => Promise<PlainAnswer>,
  ): Promise<{ answer: PlainAnswer; replayed: boolean }> {
    if (!/^[\x21-\x7e]+$/.test(key) || key.length > limits.idempotencyKeyCharsMax) {
      throw refusal('request-invalid', 'Idempotency-Key: 1 to 128 printable ASCII characters without spaces');
    }
    await this.#store.expire(this.#at(-limits.idempotencyKeptMs));
    const claim = await this.#store.claim(key, digestBytes(`${route}\n${body}`), this.#at(0)).catch(mismatch);
    if (claim.state === 'done') return { answer: JSON.parse(claim.answer) as PlainAnswer, replayed: true };
    if (claim.state === 'running') {
      const running = this.#running.get(key);
      if (running !== undefined) return { answer: await running, replayed: true };
      // Claimed by a cordond that died: whether its work was done is not known here, so it is not done again.
      throw refusal('conflict', 'this request was under way when cordond ended', [
        'look whether it was done (cordon ps)',
        'use a new key',
      ]);
    }
    return { answer: await this.#first(key, work), replayed: false };
  }

  async #first(key: string, work: () => Promise<PlainAnswer>): Promise<PlainAnswer> {
    const running = work();
    this.#running.set(key, running);
    try {
      const answer = await running;
      await this.#store.finish(key, JSON.stringify(answer));
      return answer;
    } catch (error: unknown) {
      await this.#store.release(key);
      throw error;
    } finally {
      this.#running.delete(key);
    }
  }

  #at(offsetMs: number): string {
    return new Date(this.#clock.now() + offsetMs).toISOString();
  }
}

function mismatch(error: unknown): never {
  if (!isCordonError(error) || error.code !== 'store-conflict') throw error;
  throw refusal('idempotency-mismatch', 'this Idempotency-Key was used for another request', ['use a new key'], error);
}
