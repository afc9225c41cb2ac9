import {
  canonicalize,
  type Endorsement,
  type EndorsementRecord,
  type EndorsementScope,
  type EndorsementTerms,
  endorsementType,
  type RecordValue,
} from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { digestRecord } from '@cordon/protocol/digest';
import { type Signer, signEnvelope } from '@cordon/protocol/dsse';
import type { Question } from './approvals.ts';
import type { ApiClient } from './client.ts';

export interface EndorsementFilter {
  readonly state?: ReadonlyArray<Endorsement['state']>;
  readonly signal?: AbortSignal;
}

/** What is to be opened; the rest follows from the question. */
export interface EndorsementDraft {
  /** Of kind `endorsement`, new. */
  readonly id: string;
  readonly scope: EndorsementScope;
  readonly destinations: readonly string[];
  readonly uses: number;
  readonly bytes: number;
  readonly from: string;
  readonly expires: string;
}

export interface Signing {
  readonly signer: Signer;
  readonly person: { readonly iss: string; readonly sub: string };
}

/** Destinations that people have named for a time, so that requests there need not be asked about one by one. */
export class Endorsements {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Newest first. */
  async *list({ state }: EndorsementFilter = {}): AsyncGenerator<Endorsement> {
    let cursor: string | undefined;
    do {
      const query = { state: state?.join(','), cursor };
      const page = await this.#client.call('GET', '/v1/endorsements', api.endorsementPage, { query });
      yield* page.endorsements;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** What is in force now, then every change, until the signal aborts. */
  async *follow({ state, signal }: EndorsementFilter = {}): AsyncGenerator<Endorsement> {
    const query = { state: state?.join(','), follow: true };
    const options = { query, ...(signal === undefined ? {} : { signal }) };
    for await (const event of this.#client.events('/v1/endorsements', options)) {
      if (event.event === 'endorsement') yield api.endorsement.parse(JSON.parse(event.data));
    }
  }

  get(id: string): Promise<Endorsement> {
    return this.#client.call('GET', `/v1/endorsements/${encodeURIComponent(id)}`, api.endorsement);
  }

  /** The terms as they are signed, from a question whose view was checked. Destinations are sorted, each once. */
  termsFor({ record, view }: Pick<Question, 'record' | 'view'>, draft: EndorsementDraft): EndorsementTerms {
    return {
      ...draft,
      v: 'endorsement/1',
      tenant: view.intent.tenant,
      hold: record.id,
      record: digestRecord('hold', record as unknown as RecordValue),
      destinations: [...new Set(draft.destinations)].sort(),
    };
  }

  /** Signs and sends one person's word for exactly these terms: the first makes the endorsement, others join it. */
  sign(terms: EndorsementTerms, { signer, person }: Signing): Promise<Endorsement> {
    const record: EndorsementRecord = { ...terms, person: { iss: person.iss, sub: person.sub }, via: 'operator-key' };
    const envelope = signEnvelope(endorsementType, canonicalize(record as unknown as RecordValue), [signer]);
    const path = `/v1/approvals/${encodeURIComponent(terms.hold)}/endorsements`;
    return this.#client.call('POST', path, api.endorsement, { body: { envelope } });
  }

  /** Nothing more comes of it. */
  withdraw(id: string): Promise<Endorsement> {
    return this.#client.call('DELETE', `/v1/endorsements/${encodeURIComponent(id)}`, api.endorsement);
  }
}
