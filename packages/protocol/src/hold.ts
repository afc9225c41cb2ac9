import type { RecordValue } from './canonical.ts';
import type { Envelope } from './dsse.ts';
import type { Intent } from './intent.ts';
import type { Person } from './person.ts';

/** The policy that something was decided under; another one in any member is another question. */
export interface PolicyName {
  readonly [key: string]: RecordValue;
  readonly generation: number;
  readonly revision: number;
  readonly digest: string;
  readonly engine: string;
}

/** Labels as they were when a person was asked; nothing may be worse when the answer is used. */
export interface HoldFloor {
  readonly [key: string]: RecordValue;
  readonly argInteg: number;
  readonly argConf: number;
  readonly ctxInteg: number;
  readonly ctxConf: number;
  readonly destInteg: number;
  readonly clearance: number;
  readonly readersOk: boolean;
  readonly linksOk: boolean;
  readonly leakOk: boolean;
}

/** One question to people: this very intent, under this very policy, as shown in this very view. */
export interface Hold {
  readonly v: 'hold/1';
  readonly id: string;
  /** `budget`: to spend more than a budget has; its intent is not the agent's, and nothing of it is sent. */
  readonly kind: 'intent' | 'budget';
  readonly intent: string;
  /** The try that was held first. */
  readonly attempt: string;
  readonly policy: PolicyName;
  readonly floor: HoldFloor;
  readonly rung: Rung;
  /** Everybody who counts is in one of these; empty: anybody counts. */
  readonly groups: readonly string[];
  /** 16 bytes in hex, so that no answer fits another hold of the same bytes. */
  readonly nonce: string;
  readonly view: string;
  /** RFC 3339. */
  readonly expires: string;
}

/** One person's answer. What is signed are its canonical bytes, in a DSSE envelope of {@link approvalType}. */
export interface ApprovalRecord {
  readonly v: 'approval/1';
  readonly hold: string;
  readonly intent: string;
  readonly policy: PolicyName;
  readonly nonce: string;
  readonly view: string;
  readonly verdict: 'approve' | 'deny';
  readonly person: Person;
  readonly via: 'operator-key' | 'webauthn';
  /** How often the very same bytes may go out. */
  readonly uses: number;
  readonly expires: string;
}

export const approvalType = 'application/vnd.cordon.approval+json';
export const receiptType = 'application/vnd.cordon.approval-receipt+json';

/** `open → approved → used`, or an end of another kind. */
export type HoldState = 'open' | 'approved' | 'used' | 'denied' | 'expired' | 'void';

/** Given sooner than anybody reads, or one of more than anybody reads in an hour. It counts; it is only said. */
export type AnswerFlag = 'quick' | 'many';

/** What the bytes of a body are: text as it is, anything else in base64. */
export interface ViewPayload {
  readonly [key: string]: RecordValue;
  readonly encoding: 'utf8' | 'base64';
  readonly data: string;
}

/** One policy that has a say, as it is written. */
export interface ViewRule {
  readonly [key: string]: RecordValue;
  readonly id: string;
  readonly text: string;
}

/**
 * Everything that a person is asked about, whole. Whoever shows it checks that its digest is the hold's, that the
 * intent in it hashes to the hold's, and that the payload is the intent's ({@link viewLines} renders it), so that what
 * is signed is what was read, whatever stood in between.
 */
export interface View {
  readonly v: 'view/1';
  readonly hold: string;
  readonly intent: Intent;
  readonly payload: ViewPayload | null;
  readonly effect: string;
  readonly undoable: boolean;
  readonly flow: HoldFloor;
  /** Who or what gets it and was named by nobody (`account github/acme`), where naming it is all that is missing. */
  readonly unnamed: readonly string[];
  readonly code: string;
  readonly rules: readonly ViewRule[];
  readonly rung: Rung;
  /** Left out where anybody counts. */
  readonly groups?: readonly string[];
  /** The last of its kind that was approved; null: there was none that is remembered. Left out by older daemons. */
  readonly before?: { readonly hold: string; readonly view: string } | null;
  readonly person: string;
  readonly agent: string;
  readonly profile: string;
  readonly sessionStartedAt: string;
  readonly heldAt: string;
  readonly expires: string;
}

/**
 * The control plane's word to one gateway that one use of an approved hold is this attempt's. Signed with a key that
 * the gateway knows from its own disk, not from the channel that the receipt comes by.
 */
export interface ApprovalReceipt {
  readonly v: 'receipt/1';
  readonly hold: string;
  readonly intent: string;
  readonly attempt: string;
  readonly tenant: string;
  readonly session: string;
  /** Boot id of the only gateway that it is good for. */
  readonly gateway: string;
  /** Which use of the hold this is, from 1. */
  readonly use: number;
  /** Digest of the hold record, and of each answer's record. */
  readonly record: string;
  readonly approvals: readonly string[];
  /** Those who have answered, with the keys by which they are known now. */
  readonly people: ReadonlyArray<{
    readonly person: Person;
    readonly keys: ReadonlyArray<{ readonly id: string; readonly algorithm: 'ed25519'; readonly publicKey: string }>;
    readonly groups: readonly string[];
  }>;
  /** Whose answer does not count, where a tenant wants four eyes. */
  readonly excluded: readonly Person[];
  readonly expires: string;
}

/** How many different people, and whether each by a key that a machine cannot use alone. */
export interface Rung {
  readonly quorum: number;
  readonly strong: boolean;
}

export interface ApprovalSettings {
  /** Neither the person acted for nor who started the session counts. */
  readonly fourEyes: boolean;
  /** Where the control plane tells that something waits; never asked anything. */
  readonly webhook: string | null;
}

export interface HoldNews {
  readonly hold: string;
  readonly session: string;
  readonly intent: string;
  readonly state: HoldState;
  /** Why it was denied, in the person's words, or why it is void. */
  readonly reason: string;
  readonly expires: string;
}

/** What the gateway knows of an intent that policy holds; the control plane believes only what it can check. */
export interface HoldOrder {
  readonly session: string;
  readonly attempt: string;
  readonly intent: Intent;
  /** The whole body, for a person to read; null where the intent has none. */
  readonly payload: ViewPayload | null;
  readonly effect: string;
  readonly undoable: boolean;
  readonly flow: HoldFloor;
  /** As {@link View.unnamed}. */
  readonly unnamed: readonly string[];
  readonly policy: PolicyName;
  readonly rung: Rung;
  readonly groups: readonly string[];
  readonly code: string;
  readonly reasons: readonly string[];
}

export interface HoldUse {
  readonly hold: string;
  readonly session: string;
  readonly attempt: string;
  readonly intent: string;
  readonly policy: PolicyName;
  readonly flow: HoldFloor;
}

export interface HoldTaken {
  readonly record: Hold;
  readonly approvals: readonly unknown[];
  readonly receipt: Envelope;
}
