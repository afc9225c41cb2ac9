import { type BodyKey, type BodyKeys, openBody, sealBody } from '@cordon/ledger';
import { type Hold, type Intent, kindOf, type Random, type View } from '@cordon/protocol';
import { digestBytes } from '@cordon/protocol/digest';
import type { ApprovedHold, HoldStore, StoredHold } from '@cordon/store';
import type { CheckedOrder } from './standing.ts';

/** A request that people approved, with what they signed. */
export interface ApprovedRequest {
  readonly record: Hold;
  readonly view: View;
  readonly answers: readonly unknown[];
}

export interface EarlierParts {
  readonly tenant: string;
  readonly store: Pick<HoldStore, 'approvedOf' | 'approved'>;
  readonly keys: BodyKeys & { of(session: string): BodyKey };
  readonly random: Pick<Random, 'bytes'>;
}

/**
 * What people approved before, so that the next of its kind can be compared with it. Sealed under its session's key, as
 * the ledger's own copy is: once that is shredded, this one is as unreadable as the other.
 */
export class Earlier {
  readonly #parts: EarlierParts;

  constructor(parts: EarlierParts) {
    this.#parts = parts;
  }

  /** What a view names as the last of its kind. Null: none is kept, or its session was shredded. */
  async last({
    intent,
  }: Pick<CheckedOrder, 'intent'>): Promise<{ readonly hold: string; readonly view: string } | null> {
    const kept = await this.#parts.store.approvedOf(digestBytes(kindOf(intent as unknown as Intent)));
    const request = kept === null ? null : this.#open(kept);
    return request === null ? null : { hold: request.record.id, view: request.record.view };
  }

  async read(hold: string): Promise<ApprovedRequest | null> {
    const kept = await this.#parts.store.approved(hold);
    return kept === null ? null : this.#open(kept);
  }

  /** To be kept with the change that approves it. */
  seal({ record, session, view, answers }: StoredHold): { readonly approved?: ApprovedHold } {
    if (view === null) return {};
    const { tenant, keys, random } = this.#parts;
    const request: ApprovedRequest = { record, view, answers: answers.map(({ envelope }) => envelope) };
    const sealed = sealBody(Buffer.from(JSON.stringify(request)), keys.of(session), { tenant, session }, random);
    const kind = digestBytes(kindOf(view.intent));
    return { approved: { hold: record.id, session, kind, sealed: sealed.toString('base64') } };
  }

  #open({ session, sealed }: ApprovedHold): ApprovedRequest | null {
    const { tenant, keys } = this.#parts;
    // By its name: a key that was shredded is not made anew for it.
    const bytes = Buffer.from(sealed, 'base64');
    const seal = { digest: '', bytes: bytes.length, key: `k_${session}` };
    const opened = openBody({ tenant, session, seal }, { kind: 'stored', bytes }, keys);
    return opened.kind === 'open' ? (JSON.parse(opened.bytes.toString()) as ApprovedRequest) : null;
  }
}
