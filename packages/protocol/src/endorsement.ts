import type { RecordValue } from './canonical.ts';
import type { Envelope } from './dsse.ts';
import type { Hold, HoldFloor, PolicyName, Rung } from './hold.ts';
import type { Intent } from './intent.ts';
import type { Person } from './person.ts';

/** One session, or every session of an agent in this tenant. */
export type EndorsementScope =
  | { readonly [key: string]: RecordValue; readonly session: string }
  | { readonly [key: string]: RecordValue; readonly agent: string };

/** What is opened, for whom and how far; the same for everybody who signs it. */
export interface EndorsementTerms {
  readonly v: 'endorsement/1';
  /** Drawn by whoever signs first. */
  readonly id: string;
  readonly tenant: string;
  readonly scope: EndorsementScope;
  /** The question that it was made from, and the digest of its record: intent, policy, labels, rung and view. */
  readonly hold: string;
  readonly record: string;
  /**
   * Sorted. `account github/acme`, `target URL` (of a DELETE), `destination ORIGIN`, a critical argument as
   * `email x@y.example`, or `range https://api.github.com:443/repos/acme/**`.
   */
  readonly destinations: readonly string[];
  readonly uses: number;
  /** Of method, path, query, headers and body, of all uses together. */
  readonly bytes: number;
  /** RFC 3339; at most eight hours apart. */
  readonly from: string;
  readonly expires: string;
}

/**
 * One person's statement that these destinations are meant. What is signed are its canonical bytes, in a DSSE envelope
 * of {@link endorsementType}. It names, and nothing else: no grant, no clearance, no content comes of it.
 */
export interface EndorsementRecord extends EndorsementTerms {
  readonly person: Person;
  readonly via: 'operator-key' | 'webauthn';
}

export const endorsementType = 'application/vnd.cordon.endorsement+json';
export const endorsementReceiptType = 'application/vnd.cordon.endorsement-receipt+json';

/** `open`: not everybody who is needed has signed. */
export type EndorsementState = 'open' | 'active' | 'used' | 'expired' | 'withdrawn' | 'void';

/** A gateway asks whether these names are endorsed for one attempt at an intent that policy holds. */
export interface EndorsementUse {
  readonly session: string;
  readonly attempt: string;
  readonly intent: Intent;
  readonly unnamed: readonly string[];
  readonly policy: PolicyName;
  /** Without the endorsement. */
  readonly flow: HoldFloor;
  /** What policy asks for without it. */
  readonly rung: Rung;
  readonly groups: readonly string[];
}

export interface EndorsementTaken {
  readonly record: Hold;
  readonly endorsements: readonly unknown[];
  readonly receipt: Envelope;
}

/** The control plane's word to one gateway that one use, counted and recorded, is this attempt's. */
export interface EndorsementReceipt {
  readonly v: 'endorsement-receipt/1';
  readonly endorsement: string;
  /** Digest of the hold's record. */
  readonly record: string;
  readonly intent: string;
  readonly attempt: string;
  readonly tenant: string;
  readonly session: string;
  /** Boot id of the only gateway that it is good for. */
  readonly gateway: string;
  readonly named: readonly string[];
  /** Uses and bytes before this one. */
  readonly used: { readonly uses: number; readonly bytes: number };
  /** Digest of each signed record. */
  readonly endorsements: readonly string[];
  readonly people: ReadonlyArray<{
    readonly person: Person;
    readonly keys: ReadonlyArray<{ readonly id: string; readonly algorithm: 'ed25519'; readonly publicKey: string }>;
    readonly groups: readonly string[];
  }>;
  readonly excluded: readonly Person[];
  readonly expires: string;
}
