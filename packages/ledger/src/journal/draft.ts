import type { Entry, Seal } from '@cordon/protocol';
import { hashBody } from '../body.ts';
import { entryText, isEntry } from '../entry.ts';
import { ledgerError } from '../error.ts';
import { leafTextOf, toLeafText } from '../leaf.ts';
import { limits } from '../limits.ts';
import { type Sealing, sealBody } from '../seal/seal.ts';
import type { EntryDraft } from './journal.ts';
import type { JournalState } from './state.ts';

interface PreparedBody {
  readonly seal: Seal;
  readonly hash: Buffer;
  readonly bytes: Uint8Array;
}

/** A draft with its place in the journal. */
export interface Prepared {
  readonly entry: Entry;
  readonly text: string;
  readonly leaf: string;
  readonly body: PreparedBody | null;
}

export interface DraftContext {
  readonly writer: string;
  readonly tenant: string;
  readonly at: string;
  readonly state: JournalState;
  readonly sealing: Sealing | null;
}

/**
 * Makes the entries that follow `state`, without changing it: one draft that is refused refuses all, and no number is
 * given away.
 *
 * @throws CordonError `ledger-too-large` `ledger-sequence` `ledger-option` `not-canonical`
 */
export function prepareDrafts(drafts: readonly EntryDraft[], context: DraftContext): Prepared[] {
  const seqs = new Map<string, number>();
  let { wseq, leaf } = context.state;
  return drafts.map((draft) => {
    const body = draft.body === undefined ? null : prepareBody(draft.body, draft.session, context);
    wseq += 1;
    const entry: Entry = {
      at: context.at,
      data: draft.data,
      prev: leaf,
      seal: body?.seal ?? null,
      seq: nextSeq(draft, seqs, context.state),
      session: draft.session,
      tenant: context.tenant,
      type: draft.type,
      v: 'entry/1',
      writer: context.writer,
      wseq,
    };
    const text = entryText(entry);
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.entryBytesMax) throw ledgerError('ledger-too-large', `an entry of ${bytes} bytes`);
    // INVARIANT: what is written can be read. A clock far off, or a draft past the type checker, must not become damage.
    // Canonical text reads back as the very value that it was written from, so the value can be checked in its place.
    if (!isEntry(entry)) throw ledgerError('ledger-option', 'the draft makes no entry');
    leaf = leafTextOf(text);
    return { entry, text, leaf, body };
  });
}

function nextSeq(draft: EntryDraft, seqs: Map<string, number>, state: JournalState): number | null {
  if (draft.session === null || draft.seq === null) {
    if (typeof draft.seq === 'number') throw ledgerError('ledger-sequence', 'a number without a session');
    return null;
  }
  const next = (seqs.get(draft.session) ?? state.past(draft.session).seq) + 1;
  if (draft.seq !== undefined && draft.seq !== next) {
    throw ledgerError('ledger-sequence', `${draft.session}: seq ${draft.seq} where ${next} is due`);
  }
  seqs.set(draft.session, next);
  return next;
}

/** @throws CordonError `ledger-too-large`, and `ledger-key` when there is no key to seal with */
function prepareBody(
  body: Uint8Array | string,
  session: string | null,
  { tenant, sealing }: DraftContext,
): PreparedBody {
  const clear = typeof body === 'string' ? Buffer.from(body) : body;
  if (clear.length > limits.bodyBytesMax) throw ledgerError('ledger-too-large', `a body of ${clear.length} bytes`);
  const key = sealing?.keyFor(session) ?? null;
  const bytes = sealing === null || key === null ? clear : sealBody(clear, key, { tenant, session }, sealing.random);
  const hash = hashBody(bytes);
  return { seal: { bytes: bytes.length, digest: toLeafText(hash), key: key?.id ?? 'none' }, hash, bytes };
}
