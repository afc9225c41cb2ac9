import type { CheckedEndorsement } from '@cordon/policy';
import { digestHold } from '@cordon/policy';
import {
  canonicalize,
  type EndorsementReceipt,
  type EndorsementRecord,
  endorsementReceiptType,
  type KnownPerson,
  type Person,
  type RecordValue,
  samePerson,
} from '@cordon/protocol';
import { type Envelope, type Signer, signEnvelope } from '@cordon/protocol/dsse';
import type { StoredEndorsement } from '@cordon/store';
import type { CheckedEndorsementUse } from '../approvals/standing.ts';

type Data = { readonly [key: string]: RecordValue };

/** What the ledger says in clear of one signature; whom it names stands in the body. */
export function signedData(
  { terms, hold, state }: StoredEndorsement,
  record: EndorsementRecord,
  digest: string,
  selfApproved: boolean,
): Data {
  const { id, scope, uses, bytes, from, expires } = terms;
  const { person } = record;
  return {
    ...{ act: 'sign', id, scope, hold: hold.id, endorsement: digest, person: { ...person }, state },
    ...{ uses, bytes, from, expires, selfApproved },
  };
}

export interface TakenEndorsement {
  /** As it was before this use. */
  readonly before: StoredEndorsement;
  readonly asked: CheckedEndorsementUse;
  readonly intent: string;
  readonly gateway: string;
  readonly checked: Extract<CheckedEndorsement, { ok: true }>;
  readonly excluded: readonly Person[];
}

export function usedData({ before, asked, intent, gateway, checked }: TakenEndorsement): Data {
  const { uses, bytes } = before.used;
  return {
    ...{ id: before.terms.id, hold: before.hold.id, intent, attempt: asked.attempt, gateway },
    ...{ use: uses + 1, bytes: before.terms.bytes - bytes - checked.left.bytes, left: { ...checked.left } },
    ...{ rung: { ...asked.rung }, groups: asked.groups, endorsements: [...checked.approval.ids] },
  };
}

/** For the one gateway that asked, and the one attempt. */
export function signEndorsementReceipt(
  { before, asked, intent, gateway, checked, excluded }: TakenEndorsement,
  { directory, signer, expires }: { directory: readonly KnownPerson[]; signer: Signer; expires: string },
): Envelope {
  const known = directory.filter(({ person }) => checked.people.some((each) => samePerson(each, person)));
  const receipt: EndorsementReceipt = {
    v: 'endorsement-receipt/1',
    endorsement: before.terms.id,
    record: digestHold(before.hold),
    intent,
    attempt: asked.attempt,
    tenant: asked.intent.tenant,
    session: asked.session,
    gateway,
    named: asked.unnamed,
    used: before.used,
    endorsements: checked.approval.ids,
    people: known.map(({ person, keys, groups }) => ({ person, keys: keys.map((key) => ({ ...key })), groups })),
    excluded,
    expires,
  };
  return signEnvelope(endorsementReceiptType, canonicalize(receipt as unknown as RecordValue), [signer]);
}
