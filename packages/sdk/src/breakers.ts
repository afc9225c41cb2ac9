import * as api from '@cordon/protocol/api';
import type { ApiClient } from './client.ts';

/** Ways that were closed because they were denied, or failed, again and again. */
export class Breakers {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  list(): Promise<api.BreakerList> {
    return this.#client.call('GET', '/v1/breakers', api.openBreakers);
  }

  /** Of one session; null: the destinations of all. Says how many were open. */
  async reset(session: string | null): Promise<number> {
    return (await this.#client.call('POST', '/v1/breakers/reset', api.breakerResetAnswer, { body: { session } })).reset;
  }
}
