import * as api from '@cordon/protocol/api';
import type { z } from 'zod';
import type { ApiClient } from './client.ts';

export type KnownPerson = z.infer<typeof api.knownPerson>;
export type WhoAmI = z.infer<typeof api.whoAmI>;

const nothing = { parse: (): null => null };

/** People whose signatures count here, by their public keys. */
export class People {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  async list(): Promise<KnownPerson[]> {
    return (await this.#client.call('GET', '/v1/people', api.peopleList)).people;
  }

  /** `publicKey`: 32 bytes of Ed25519 in base64. A known name gets one more key, and is in these groups too. */
  add(name: string, publicKey: string, groups: readonly string[] = []): Promise<KnownPerson> {
    return this.#client.call('POST', '/v1/people', api.knownPerson, { body: { name, publicKey, groups } });
  }

  /** All groups that the person is in from now on. */
  group(name: string, groups: readonly string[]): Promise<KnownPerson> {
    const path = `/v1/people/${encodeURIComponent(name)}/groups`;
    return this.#client.call('PUT', path, api.knownPerson, { body: { groups } });
  }

  async remove(name: string): Promise<void> {
    await this.#client.call('DELETE', `/v1/people/${encodeURIComponent(name)}`, nothing);
  }

  whoami(): Promise<WhoAmI> {
    return this.#client.call('GET', '/v1/whoami', api.whoAmI);
  }
}
