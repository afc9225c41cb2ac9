import {
  canonicalize,
  type EndorsementRecord,
  endorsementType,
  type Hold,
  type HoldFloor,
  type Intent,
  isOfGroups,
  type KnownPerson,
  type Person,
  type PolicyName,
  personOfKey,
  type Rung,
  samePerson,
} from '@cordon/protocol';
import { openEnvelope } from '@cordon/protocol/dsse';
import { isSamePolicy } from '../approval/check.ts';
import { digestHold } from '../approval/receipt.ts';
import { type Approval, noApproval } from '../fact/facts.ts';
import { isNamedBy } from './destination.ts';
import { digestEndorsement, digestTerms, parseEndorsement, termsOf } from './record.ts';

/** Why an endorsement does not count for this request. */
export type EndorsementCode =
  | 'endorsement-malformed'
  | 'endorsement-signature'
  | 'endorsement-person'
  | 'endorsement-other-hold'
  | 'endorsement-other-tenant'
  | 'endorsement-other-session'
  | 'endorsement-other-policy'
  | 'endorsement-other-terms'
  | 'endorsement-other-place'
  | 'endorsement-expired'
  | 'endorsement-used'
  | 'endorsement-bytes'
  | 'endorsement-person-twice'
  | 'endorsement-four-eyes'
  | 'endorsement-floor'
  | 'endorsement-secret'
  | 'endorsement-group'
  | 'endorsement-quorum';

export interface EndorsementQuestion {
  /** The question that it was made from. */
  readonly hold: Hold;
  /** One signed record of each person, as they came; nothing about them is believed. */
  readonly endorsements: readonly unknown[];
  /** What is about to go out. */
  readonly intent: Intent;
  /** Who or what gets it and was named by nobody else. */
  readonly unnamed: readonly string[];
  /** What policy asks for without it. */
  readonly rung: Rung;
  readonly groups: readonly string[];
  /** Labels of now, without it. */
  readonly flow: HoldFloor;
  readonly policy: PolicyName;
  /** RFC 3339. */
  readonly now: string;
  readonly directory: ReadonlyArray<Omit<KnownPerson, 'addedAt'>>;
  /** Before this use. */
  readonly used: { readonly uses: number; readonly bytes: number };
  /** Four eyes: the person acted for and who started the session. */
  readonly excluded: readonly Person[];
}

export type CheckedEndorsement =
  | {
      readonly ok: true;
      readonly id: string;
      /** Nobody has agreed to this request; these records stand for the names in it. */
      readonly approval: Approval & { readonly ids: readonly string[] };
      /** What is left after this use. */
      readonly left: { readonly uses: number; readonly bytes: number };
      readonly people: readonly Person[];
    }
  | { readonly ok: false; readonly code: EndorsementCode };

/**
 * Whether people have named, for a time, who gets this request. Pure, and the same in the control plane, in the gateway
 * and in the verifier. It gives names and nothing else: what policy makes of them, `authorize` says.
 */
export function checkEndorsement(question: EndorsementQuestion): CheckedEndorsement {
  const { hold, endorsements, intent, unnamed, rung, now, used } = question;
  const counted: EndorsementRecord[] = [];
  for (const envelope of endorsements) {
    const record = openEndorsement(envelope, question);
    if (typeof record === 'string') return no(record);
    const [first] = counted;
    if (first !== undefined && digestTerms(termsOf(first)) !== digestTerms(termsOf(record))) {
      return no('endorsement-other-terms');
    }
    if (counted.some(({ person }) => samePerson(person, record.person))) return no('endorsement-person-twice');
    // Whom the question asked, and whom policy asks now.
    if (!isKnownIn(record.person, question.groups, question.directory)) return no('endorsement-group');
    counted.push(record);
  }
  const [terms] = counted;
  if (terms === undefined || counted.length < Math.max(hold.rung.quorum, rung.quorum)) return no('endorsement-quorum');
  // No key that is read here is one which a machine could not use alone.
  if (hold.rung.strong || rung.strong) return no('endorsement-quorum');
  const elsewhere = strangeIn(terms, question);
  if (elsewhere !== null) return no(elsewhere);
  if (now >= terms.expires) return no('endorsement-expired');
  if (unnamed.length === 0 || !unnamed.every((name) => isNamedBy(terms.destinations, name, intent))) {
    return no('endorsement-other-place');
  }
  const left = { uses: terms.uses - used.uses - 1, bytes: terms.bytes - used.bytes - trafficOf(intent) };
  if (left.uses < 0) return no('endorsement-used');
  if (left.bytes < 0) return no('endorsement-bytes');
  const from = question.groups.length === 0 ? {} : { groups: question.groups };
  const approval = { ...noApproval, ids: counted.map(digestEndorsement).sort(), ...from };
  return { ok: true, id: terms.id, approval, left, people: counted.map(({ person }) => person) };
}

/** For whom it is, under which policy, and what may be in what is sent. */
function strangeIn(terms: EndorsementRecord, question: EndorsementQuestion): EndorsementCode | null {
  const { hold, intent, policy, flow } = question;
  if (terms.tenant !== intent.tenant) return 'endorsement-other-tenant';
  const { scope } = terms;
  const inScope = 'session' in scope ? scope['session'] === intent.session : scope['agent'] === intent.agent;
  if (!inScope) return 'endorsement-other-session';
  if (!isUnder(hold.policy, policy, 'session' in scope)) return 'endorsement-other-policy';
  if (flow.argConf >= 3 || flow.ctxConf >= 3) return 'endorsement-secret';
  return isNoWorse(flow, hold.floor) ? null : 'endorsement-floor';
}

/** One person's signature, for this question and nothing else. */
export function openEndorsement(
  envelope: unknown,
  question: Pick<EndorsementQuestion, 'hold' | 'directory' | 'excluded'>,
): EndorsementRecord | EndorsementCode {
  const { hold, directory, excluded } = question;
  const keys = directory.flatMap((known) => known.keys);
  const opened = openEnvelope(envelope, endorsementType, keys);
  if (!opened.ok) return 'endorsement-signature';
  const record = parseEndorsement(opened.payload);
  if (record === null) return 'endorsement-malformed';
  const [signer = '', ...others] = opened.signers;
  const signed = personOfKey(directory as readonly KnownPerson[], signer);
  if (others.length > 0 || signed === null || !samePerson(signed, record.person)) return 'endorsement-person';
  const asked = record.hold === hold.id && record.record === digestHold(hold);
  if (!asked) return 'endorsement-other-hold';
  if (excluded.some((person) => samePerson(person, record.person))) return 'endorsement-four-eyes';
  // By the list of now: who left the group after signing does not count any more.
  return isKnownIn(record.person, hold.groups, directory) ? record : 'endorsement-group';
}

function isKnownIn(person: Person, groups: readonly string[], directory: EndorsementQuestion['directory']): boolean {
  const known = directory.find((each) => samePerson(each.person, person));
  return known !== undefined && isOfGroups(known, groups);
}

/** Everything that goes out and could have been chosen by the agent: the arguments as they are written, and the body. */
export function trafficOf({ args, payload }: Intent): number {
  return Buffer.byteLength(canonicalize(args)) + payload.bytes;
}

/** Sessions of one agent have layers of their own, which still judge each of them; what they share is the tenant's. */
function isUnder(asked: PolicyName, now: PolicyName, one: boolean): boolean {
  return one ? isSamePolicy(asked, now) : asked.generation === now.generation && asked.engine === now.engine;
}

/** What the session has seen since is neither less trusted nor more private than what the person was shown. */
function isNoWorse(now: HoldFloor, floor: HoldFloor): boolean {
  const trusted = now.argInteg >= floor.argInteg && now.ctxInteg >= floor.ctxInteg;
  const kept = now.argConf <= floor.argConf && now.ctxConf <= floor.ctxConf && now.clearance >= floor.clearance;
  return trusted && kept && (now.readersOk || !floor.readersOk);
}

function no(code: EndorsementCode): CheckedEndorsement {
  return { ok: false, code };
}
