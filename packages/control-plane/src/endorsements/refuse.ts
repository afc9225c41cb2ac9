import type { EndorsementCode } from '@cordon/policy';
import { CordonError } from '@cordon/protocol';

const words: Readonly<Record<EndorsementCode, string>> = {
  'endorsement-malformed': 'the signed record is no endorsement in its one form, or has no end',
  'endorsement-signature': 'it is not signed by a key that is known here',
  'endorsement-person': 'it names another person than the one whose key signed it',
  'endorsement-other-hold': 'it was made from another question',
  'endorsement-other-tenant': 'it is for another tenant',
  'endorsement-other-session': 'it is for another session or agent',
  'endorsement-other-policy': 'it was made under another policy',
  'endorsement-other-terms': 'the people have signed different terms',
  'endorsement-other-place': 'it does not name who would get this',
  'endorsement-expired': 'its time is over, or is not this time',
  'endorsement-used': 'it was used as often as it may be',
  'endorsement-bytes': 'fewer bytes are left than this would send',
  'endorsement-person-twice': 'this person has signed already, and counts once',
  'endorsement-four-eyes': 'the person acted for, and who started the session, do not count here',
  'endorsement-floor': 'the session has seen worse by now than when the person was asked',
  'endorsement-secret': 'the session has seen secrets, and nobody can name a place for those',
  'endorsement-group': 'somebody of another group has to sign',
  'endorsement-quorum': 'not enough people have signed',
};

/** Why an endorsement does not count, under its own code. */
export function unendorsed(code: EndorsementCode): CordonError<EndorsementCode> {
  return new CordonError(code, words[code], {
    expose: true,
    nextSteps: ['cordon approvals', 'cordon endorsements list'],
  });
}
