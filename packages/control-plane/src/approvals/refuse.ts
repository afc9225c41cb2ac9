import type { ApprovalCode } from '@cordon/policy';
import { CordonError } from '@cordon/protocol';
import type { StoredHold } from '@cordon/store';
import { refusal } from '../error.ts';

const words: Readonly<Record<ApprovalCode, string>> = {
  'approval-malformed': 'the signed record is no approval in its one form',
  'approval-signature': 'it is not signed by a key that is known here',
  'approval-person': 'it names another person than the one whose key signed it',
  'approval-other-hold': 'it was given for another question',
  'approval-other-intent': 'it was given for other bytes',
  'approval-other-policy': 'it was given under another policy',
  'approval-other-nonce': 'it was given for another question about the same bytes',
  'approval-other-view': 'another view was signed than the one that is shown',
  'approval-expired': 'its time is over',
  'approval-used': 'it was used as often as it may be',
  'approval-person-twice': 'this person has answered already, and counts once',
  'approval-four-eyes': 'the person acted for, who started the session and who signed the policy do not count here',
  'approval-floor': 'the labels are worse by now than when the person was asked',
  'approval-group': 'only people of certain groups are asked, and this person is in none of them',
  'approval-denied': 'somebody said no',
  'approval-quorum': 'not enough people have said yes',
};

/** Why answers do not count, under their own code. */
export function uncounted(code: ApprovalCode): CordonError<ApprovalCode> {
  return new CordonError(code, words[code], { expose: true, nextSteps: ['cordon approvals'] });
}

export function settled(id: string, state: string = 'over', reason = '') {
  return refusal('hold-settled', `${id} is ${state}${reason === '' ? '' : ` (${reason})`}`, ['cordon approvals']);
}

export function checkVersion({ version }: StoredHold, ifMatch: string | null): void {
  if (ifMatch === null || ifMatch === '*' || ifMatch.split(',').some((tag) => tag.trim() === `"v${version}"`)) return;
  throw refusal('etag-mismatch', 'the hold has changed since you read it', ['read it again, then decide']);
}
