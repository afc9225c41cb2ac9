import {
  type ApprovalRecord,
  approvalType,
  type Hold,
  type HoldFloor,
  type Intent,
  isOfGroups,
  type KnownPerson,
  type Person,
  type PolicyName,
  personOfKey,
  samePerson,
} from '@cordon/protocol';
import { openEnvelope } from '@cordon/protocol/dsse';
import { type Approval, hashIntent } from '../fact/facts.ts';
import { digestApproval, parseApproval } from './record.ts';

/** Why answers to a hold do not count. One that does not refuses them all: nobody sorts good answers from odd ones. */
export type ApprovalCode =
  | 'approval-malformed'
  | 'approval-signature'
  | 'approval-person'
  | 'approval-other-hold'
  | 'approval-other-intent'
  | 'approval-other-policy'
  | 'approval-other-nonce'
  | 'approval-other-view'
  | 'approval-expired'
  | 'approval-used'
  | 'approval-person-twice'
  | 'approval-four-eyes'
  | 'approval-floor'
  | 'approval-group'
  | 'approval-denied'
  | 'approval-quorum';

export interface ApprovalQuestion {
  readonly hold: Hold;
  /** Signed answers, as they came; nothing about them is believed. */
  readonly approvals: readonly unknown[];
  /** The bytes that are about to go out. It names tenant and session, so its hash does too. */
  readonly intent: Intent;
  /** Labels of now. */
  readonly flow: HoldFloor;
  /** The policy of now. */
  readonly policy: PolicyName;
  /** RFC 3339. */
  readonly now: string;
  /** Who is known now, by which keys, in which groups. */
  readonly directory: ReadonlyArray<Omit<KnownPerson, 'addedAt'>>;
  /** How often the answers were used before. */
  readonly used: number;
  /** Four eyes: the person acted for and who started the session. */
  readonly excluded: readonly Person[];
}

export type CheckedApprovals =
  | {
      readonly ok: true;
      readonly approval: Approval & { readonly ids: readonly string[] };
      /** Uses that are left, this one included. */
      readonly left: number;
      readonly people: readonly Person[];
    }
  | { readonly ok: false; readonly code: ApprovalCode };

/**
 * How far people have approved this very intent, at this moment. Pure, and the same in the control plane, in the
 * gateway and in the verifier: neither a store that lies nor a channel that was taken over can make an answer count.
 */
export function checkApprovals(question: ApprovalQuestion): CheckedApprovals {
  const { hold, approvals, flow } = question;
  const stale = checkHold(question);
  if (stale !== null) return no(stale);
  const counted: ApprovalRecord[] = [];
  for (const envelope of approvals) {
    const answer = openApproval(envelope, question);
    if (typeof answer === 'string') return no(answer);
    // However many keys somebody has, they are one person.
    if (answer.verdict === 'deny') return no('approval-denied');
    if (counted.some(({ person }) => samePerson(person, answer.person))) return no('approval-person-twice');
    counted.push(answer);
  }
  if (counted.length < hold.rung.quorum) return no('approval-quorum');
  // No kind of answer that is read here comes from a key which a machine could not use alone.
  if (hold.rung.strong) return no('approval-quorum');
  const left = Math.min(...counted.map(({ uses }) => uses)) - question.used;
  if (left < 1) return no('approval-used');
  if (!isNoWorse(flow, hold.floor)) return no('approval-floor');
  const ids = counted.map(digestApproval).sort();
  const people = counted.map(({ person }) => person);
  const from = hold.groups.length === 0 ? {} : { groups: hold.groups };
  return { ok: true, approval: { quorum: counted.length, strong: false, ids, ...from }, left, people };
}

/** Whether the question itself still stands. */
function checkHold({ hold, intent, policy, now }: ApprovalQuestion): ApprovalCode | null {
  if (hashIntent(intent) !== hold.intent) return 'approval-other-intent';
  if (!isSamePolicy(hold.policy, policy)) return 'approval-other-policy';
  return now >= hold.expires ? 'approval-expired' : null;
}

/** One answer, whoever gave it: signed by a key of the person it names, for this hold and nothing else. */
export function openApproval(
  envelope: unknown,
  question: Pick<ApprovalQuestion, 'hold' | 'directory' | 'now' | 'excluded'>,
): ApprovalRecord | ApprovalCode {
  const { hold, directory, now, excluded } = question;
  const keys = directory.flatMap((known) => known.keys);
  const opened = openEnvelope(envelope, approvalType, keys);
  if (!opened.ok) return 'approval-signature';
  const answer = parseApproval(opened.payload);
  if (answer === null) return 'approval-malformed';
  const [signer = '', ...others] = opened.signers;
  const signed = personOfKey(directory as readonly KnownPerson[], signer);
  if (others.length > 0 || signed === null || !samePerson(signed, answer.person)) return 'approval-person';
  if (answer.hold !== hold.id) return 'approval-other-hold';
  if (answer.intent !== hold.intent) return 'approval-other-intent';
  if (!isSamePolicy(answer.policy, hold.policy)) return 'approval-other-policy';
  if (answer.nonce !== hold.nonce) return 'approval-other-nonce';
  if (answer.view !== hold.view) return 'approval-other-view';
  if (now >= answer.expires) return 'approval-expired';
  // To say no is everybody's.
  if (answer.verdict === 'deny') return answer;
  if (excluded.some((person) => samePerson(person, answer.person))) return 'approval-four-eyes';
  // By the list of now: who left the group after the answer does not count any more.
  const known = directory.find(({ person }) => samePerson(person, answer.person));
  return known !== undefined && isOfGroups(known, hold.groups) ? answer : 'approval-group';
}

export function isSamePolicy(a: PolicyName, b: PolicyName): boolean {
  return a.generation === b.generation && a.revision === b.revision && a.digest === b.digest && a.engine === b.engine;
}

/** Nothing less trusted, nothing more secret, and nothing that was fine is not. */
function isNoWorse(now: HoldFloor, floor: HoldFloor): boolean {
  const integrity =
    now.argInteg >= floor.argInteg && now.ctxInteg >= floor.ctxInteg && now.destInteg >= floor.destInteg;
  const secrecy = now.argConf <= floor.argConf && now.ctxConf <= floor.ctxConf && now.clearance >= floor.clearance;
  const fine = (['readersOk', 'linksOk', 'leakOk'] as const).every((name) => now[name] || !floor[name]);
  return integrity && secrecy && fine;
}

function no(code: ApprovalCode): CheckedApprovals {
  return { ok: false, code };
}
