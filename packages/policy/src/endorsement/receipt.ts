import {
  type EndorsementReceipt,
  type EndorsementTaken,
  endorsementReceiptType,
  type HoldFloor,
  type Intent,
  type PolicyName,
  type Rung,
} from '@cordon/protocol';
import { openEnvelope, type PinnedKey } from '@cordon/protocol/dsse';
import { digestHold, type ReceiptCode } from '../approval/receipt.ts';
import { hashIntent } from '../fact/facts.ts';
import { parseJson } from '../json/parse.ts';
import { type CheckedEndorsement, checkEndorsement } from './check.ts';

export interface EndorsementReceiptQuestion {
  readonly taken: EndorsementTaken;
  /** Known from one's own disk, never from the channel that the receipt comes by. */
  readonly key: PinnedKey | null;
  readonly gateway: string;
  readonly attempt: string;
  readonly intent: Intent;
  /** Of now. */
  readonly unnamed: readonly string[];
  readonly flow: HoldFloor;
  readonly rung: Rung;
  readonly groups: readonly string[];
  readonly policy: PolicyName;
  readonly now: string;
}

export type CheckedEndorsementReceipt = CheckedEndorsement | { readonly ok: false; readonly code: ReceiptCode };

/**
 * What a gateway is told of an endorsement, checked from the signatures up: the receipt is for this gateway, this attempt
 * and these names, and the statements in it are the people's own.
 */
export function checkEndorsementReceipt(question: EndorsementReceiptQuestion): CheckedEndorsementReceipt {
  const { taken, key, intent, now, unnamed } = question;
  const opened = openEnvelope(taken.receipt, endorsementReceiptType, key === null ? [] : [key]);
  if (!opened.ok) return { ok: false, code: 'receipt-signature' };
  const read = parseJson(opened.payload, 'arguments');
  if (!read.ok || !isReceipt(read.value)) return { ok: false, code: 'receipt-malformed' };
  const receipt = read.value;
  if (now >= receipt.expires) return { ok: false, code: 'receipt-expired' };
  const { record: hold, endorsements } = taken;
  const same =
    receipt.gateway === question.gateway &&
    receipt.attempt === question.attempt &&
    receipt.intent === hashIntent(intent) &&
    receipt.tenant === intent.tenant &&
    receipt.session === intent.session &&
    receipt.record === digestHold(hold) &&
    isSame(receipt.named, unnamed);
  if (!same) return { ok: false, code: 'receipt-mismatch' };
  const { flow, policy, rung, groups } = question;
  const { people: directory, excluded, used } = receipt;
  const checked = checkEndorsement({
    ...{ hold, endorsements, intent, unnamed, rung, groups, flow, policy, now, used, excluded },
    directory,
  });
  if (!checked.ok) return checked;
  const named = checked.id === receipt.endorsement && isSame(checked.approval.ids, receipt.endorsements);
  return named ? checked : { ok: false, code: 'receipt-mismatch' };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}

function isReceipt(value: unknown): value is EndorsementReceipt {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === 'endorsement-receipt/1';
}
