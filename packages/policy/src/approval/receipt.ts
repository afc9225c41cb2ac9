import {
  type ApprovalReceipt,
  type Hold,
  type HoldFloor,
  type HoldTaken,
  type Intent,
  type PolicyName,
  type RecordValue,
  receiptType,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { openEnvelope, type PinnedKey } from '@cordon/protocol/dsse';
import { hashIntent } from '../fact/facts.ts';
import { parseJson } from '../json/parse.ts';
import { type ApprovalCode, type CheckedApprovals, checkApprovals } from './check.ts';

export type ReceiptCode = 'receipt-signature' | 'receipt-malformed' | 'receipt-mismatch' | 'receipt-expired';

export interface ReceiptQuestion {
  readonly taken: HoldTaken;
  /** Known from one's own disk, never from the channel that the receipt came by. */
  readonly key: PinnedKey | null;
  /** Boot id of the gateway that asks. */
  readonly gateway: string;
  readonly attempt: string;
  readonly intent: Intent;
  /** Of now. */
  readonly flow: HoldFloor;
  readonly policy: PolicyName;
  /** RFC 3339. */
  readonly now: string;
}

export type CheckedReceipt = CheckedApprovals | { readonly ok: false; readonly code: ReceiptCode };

/**
 * What a gateway is told of an approval, checked from the signatures up: the receipt is for this gateway, this attempt
 * and these bytes, and the answers in it are the people's own, under the labels and the policy of now.
 */
export function checkReceipt(question: ReceiptQuestion): CheckedReceipt {
  const { taken, key, intent, now } = question;
  const opened = openEnvelope(taken.receipt, receiptType, key === null ? [] : [key]);
  if (!opened.ok) return { ok: false, code: 'receipt-signature' };
  const read = parseJson(opened.payload, 'arguments');
  // Signed by our own control plane: only its kind is to be told apart.
  if (!read.ok || !isReceipt(read.value)) return { ok: false, code: 'receipt-malformed' };
  const receipt = read.value;
  if (now >= receipt.expires) return { ok: false, code: 'receipt-expired' };
  const { record: hold, approvals } = taken;
  const same =
    receipt.gateway === question.gateway &&
    receipt.attempt === question.attempt &&
    receipt.intent === hashIntent(intent) &&
    receipt.tenant === intent.tenant &&
    receipt.session === intent.session &&
    receipt.hold === hold.id &&
    receipt.record === digestHold(hold);
  if (!same) return { ok: false, code: 'receipt-mismatch' };
  const { flow, policy } = question;
  const { people: directory, excluded, use } = receipt;
  const checked = checkApprovals({
    ...{ hold, approvals, intent, flow, policy, now, excluded },
    directory,
    used: use - 1,
  });
  if (!checked.ok) return checked;
  const { ids } = checked.approval;
  const named = ids.length === receipt.approvals.length && ids.every((id) => receipt.approvals.includes(id));
  return named ? checked : { ok: false, code: 'receipt-mismatch' };
}

export type HeldCode = ApprovalCode | ReceiptCode;

export function digestHold(hold: Hold): string {
  return digestRecord('hold', hold as unknown as RecordValue);
}

function isReceipt(value: unknown): value is ApprovalReceipt {
  return typeof value === 'object' && value !== null && 'v' in value && value.v === 'receipt/1';
}
