import type { RefusedRequest } from '@cordon/protocol';
import type { RefusalIndex, StoredRefusal } from '@cordon/store';

export interface RefusalFilter {
  readonly session?: string | undefined;
  readonly agent?: string | undefined;
}

/** What gateways refused before there was anything to decide. */
export class Refusals {
  readonly #index: RefusalIndex;
  readonly #catchUp: () => Promise<void>;
  readonly #listeners = new Set<() => void>();

  /** `catchUp` brings into the index whatever the journals hold by now. */
  constructor(index: RefusalIndex, catchUp: () => Promise<void>) {
    this.#index = index;
    this.#catchUp = catchUp;
  }

  /** Called by the integrator when there are new ones in the index. */
  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  async list(
    { session, agent }: RefusalFilter,
    page: { cursor?: string | undefined; limit: number; order: 'asc' | 'desc' },
  ): Promise<{ refusals: RefusedRequest[]; next: string | null }> {
    await this.#catchUp();
    const { items, next } = await this.#index.list({ session, agent, ...page });
    return { refusals: items.map(toRefused), next };
  }

  /** Everything from `cursor` on (null: from now), then each new one. Ends with `signal`. */
  async *follow(
    { session, agent }: RefusalFilter,
    cursor: string | null,
    signal: AbortSignal,
  ): AsyncGenerator<{ cursor: string; refusal: RefusedRequest }> {
    let from = cursor ?? (await this.#end());
    let wake: (() => void) | null = null;
    let fresh = true;
    const listener = () => {
      fresh = true;
      wake?.();
    };
    const onAbort = () => wake?.();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#listeners.add(listener);
    try {
      while (!signal.aborted) {
        fresh = false;
        const { items } = await this.#index.list({ session, agent, cursor: from, order: 'asc' });
        for (const row of items) yield { cursor: row.cursor, refusal: toRefused(row) };
        from = items.at(-1)?.cursor ?? from;
        if (items.length > 0 || fresh || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #end(): Promise<string> {
    const { items } = await this.#index.list({ order: 'desc', limit: 1 });
    return items[0]?.cursor ?? '';
  }
}

function toRefused({ at, session, code, detail, channel, resource, suppressed }: StoredRefusal): RefusedRequest {
  return { at, session, code, detail, channel, resource, suppressed };
}
