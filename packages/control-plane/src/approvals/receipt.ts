import { digestApproval } from '@cordon/policy';
import {
  type ApprovalReceipt,
  type ApprovalRecord,
  canonicalize,
  type Hold,
  type HoldUse,
  type KnownPerson,
  type Person,
  type RecordValue,
  receiptType,
  samePerson,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { type Envelope, type Signer, signEnvelope } from '@cordon/protocol/dsse';
import type { StoredHold } from '@cordon/store';

export interface Taken {
  /** With this use counted. */
  readonly hold: StoredHold;
  readonly tenant: string;
  readonly asked: HoldUse;
  /** Boot id of the gateway that asked. */
  readonly gateway: string;
  readonly left: number;
  readonly approvals: readonly string[];
  readonly people: readonly Person[];
  readonly excluded: readonly Person[];
}

/** What the ledger says of one answer. */
export function answeredData({ record: { id, intent } }: StoredHold, record: ApprovalRecord) {
  const { verdict, person, uses, expires } = record;
  return { hold: id, intent, verdict, person: { ...person }, approval: digestApproval(record), uses, expires };
}

/** What the ledger says of one use. */
export function usedData({ hold, asked, gateway, left, approvals }: Taken): { readonly [key: string]: RecordValue } {
  return {
    hold: hold.record.id,
    intent: hold.record.intent,
    attempt: asked.attempt,
    gateway,
    use: hold.used,
    left,
    approvals: [...approvals],
  };
}

/** For the one gateway that asked, and the one attempt. */
export function signReceipt(
  taken: Taken,
  { directory, signer, expires }: { directory: readonly KnownPerson[]; signer: Signer; expires: string },
): Envelope {
  const { hold, asked, gateway, approvals, people, excluded } = taken;
  const { record, session } = hold;
  const known = directory.filter(({ person }) => people.some((each) => samePerson(each, person)));
  const receipt: ApprovalReceipt = {
    v: 'receipt/1',
    hold: record.id,
    intent: record.intent,
    attempt: asked.attempt,
    tenant: taken.tenant,
    session,
    gateway,
    use: hold.used,
    record: digestHold(record),
    approvals,
    people: known.map(({ person, keys, groups }) => ({ person, keys: keys.map((key) => ({ ...key })), groups })),
    excluded,
    expires,
  };
  return signEnvelope(receiptType, canonicalize(receipt as unknown as RecordValue), [signer]);
}

export function digestHold(record: Hold): string {
  return digestRecord('hold', record as unknown as RecordValue);
}
