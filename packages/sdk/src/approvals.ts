import {
  type ApprovalRecord,
  approvalType,
  CordonError,
  canonicalize,
  type Earlier,
  type HeldDetail,
  type HeldIntent,
  type Hold,
  type RecordValue,
  type View,
} from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { type Signer, signEnvelope } from '@cordon/protocol/dsse';
import type { ApiClient } from './client.ts';
import { earlierOf } from './earlier.ts';
import type { SdkErrorCode } from './error.ts';
import { checkView } from './view.ts';

export interface ApprovalFilter {
  readonly session?: string;
  readonly state?: ReadonlyArray<HeldIntent['state']>;
  readonly signal?: AbortSignal;
}

export interface Verdict {
  readonly verdict: 'approve' | 'deny';
  readonly signer: Signer;
  readonly person: { readonly iss: string; readonly sub: string };
  /** How often the very same bytes may go out; default once. */
  readonly uses?: number;
  /** Of a no; the agent reads it. */
  readonly reason?: string;
}

/** A question whose view was checked against what is signed: what it says is what an answer is about. */
export interface Question {
  readonly hold: HeldIntent;
  readonly record: Hold;
  readonly view: View;
  /** What it is to be compared with; checked as the view was. */
  readonly earlier: Earlier;
}

/** Questions that policy has for people, and their signed answers. */
export class Approvals {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** Newest first. */
  async *list({ session, state }: ApprovalFilter = {}): AsyncGenerator<HeldIntent> {
    let cursor: string | undefined;
    do {
      const query = { session, state: state?.join(','), cursor };
      const page = await this.#client.call('GET', '/v1/approvals', api.approvalPage, { query });
      yield* page.approvals;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** What waits now, then every change, until the signal aborts. */
  async *follow({ session, state, signal }: ApprovalFilter = {}): AsyncGenerator<HeldIntent> {
    const query = { session, state: state?.join(','), follow: true };
    for await (const event of this.#client.events('/v1/approvals', {
      query,
      ...(signal === undefined ? {} : { signal }),
    })) {
      if (event.event === 'hold') yield api.heldIntent.parse(JSON.parse(event.data));
    }
  }

  get(id: string): Promise<HeldDetail> {
    return this.#client.call('GET', `/v1/approvals/${encodeURIComponent(id)}`, api.heldDetail);
  }

  /**
   * The question with everything that it is about, checked: the view is the one that is signed, the intent in it is the
   * one that is held, and the body is that intent's. @throws CordonError `view-mismatch` `hold-settled`
   */
  async question(id: string): Promise<Question> {
    const { hold, record, view, before } = await this.get(id);
    if (view === null) {
      throw new CordonError<SdkErrorCode>('view-gone', `${id} is ${hold.state}; the ledger keeps what it was about`, {
        expose: true,
        nextSteps: ['cordon approvals'],
      });
    }
    const question = { hold, record: record as Hold, view: view as unknown as View };
    checkView(question.record, question.view);
    const people = before === null ? [] : (await this.#client.call('GET', '/v1/people', api.peopleList)).people;
    return { ...question, earlier: earlierOf(question.view, before, people) };
  }

  /** Signs and sends one person's answer to exactly this question. */
  answer({ record, hold }: Pick<Question, 'record' | 'hold'>, given: Verdict): Promise<HeldIntent> {
    const { id, intent, policy, nonce, view, expires } = record;
    const { verdict, person, signer, uses = 1, reason = '' } = given;
    const answer: ApprovalRecord = {
      ...{ v: 'approval/1', hold: id, intent, policy, nonce, view, verdict },
      ...{ person: { iss: person.iss, sub: person.sub }, via: 'operator-key', uses, expires },
    };
    const envelope = signEnvelope(approvalType, canonicalize(answer as unknown as RecordValue), [signer]);
    const options = { body: { envelope, reason }, ifMatch: hold.etag };
    return this.#client.call('POST', `/v1/approvals/${encodeURIComponent(id)}/verdicts`, api.heldIntent, options);
  }
}
