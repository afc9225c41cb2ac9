import type { Brand } from './brand.ts';
import type { RecordValue } from './canonical.ts';

export type EntryType =
  | 'session.start'
  | 'session.end'
  | 'label'
  | 'decision'
  | 'hold'
  | 'approval'
  | 'approval.used'
  | 'endorsement'
  | 'endorsement.used'
  | 'start'
  | 'outcome'
  | 'fault'
  | 'policy'
  | 'pin'
  | 'trust'
  | 'key'
  | 'issue'
  | 'lease'
  | 'budget'
  | 'breaker'
  | 'baseline'
  | 'admin'
  | 'kill'
  | 'freeze'
  | 'lift'
  | 'epoch'
  | 'canary'
  | 'node'
  | 'teardown'
  | 'heartbeat'
  | 'recovery'
  | 'gap'
  | 'witness'
  | 'head'
  | 'shred';

/** Where the sealed part of an entry lies: in the body file beside the journal, under its digest. */
export interface Seal {
  readonly digest: string;
  readonly bytes: number;
  /** Key that encrypts the body; `none` until bodies are sealed. */
  readonly key: string;
}

/** What a writer hands to its journal; the journal adds writer, wseq, prev and time. */
export interface EntryInput {
  readonly tenant: string;
  readonly session: string | null;
  /** Position in the session's own gapless sequence; null for entries that belong to no session. */
  readonly seq: number | null;
  readonly type: EntryType;
  readonly data: { readonly [key: string]: RecordValue };
  /** Records that are kept beside the entry under their digest (intent, facts, entities, bodies). */
  readonly seal: Seal | null;
}

/** One line of the journal, and one leaf of the tree: `SHA-256(0x00 ‖ JCS(entry))`. */
export interface Entry extends EntryInput {
  readonly v: 'entry/1';
  readonly writer: string;
  readonly wseq: number;
  /** Leaf hash of the writer's previous entry, `sha256:<hex>`; for the first one 64 zeros. */
  readonly prev: string;
  readonly at: string;
}

/** Before an effect: `os` = write(2) returned; `disk` = fdatasync returned. */
export type DurabilityTier = 'os' | 'disk';

/** Proof that an entry is in the journal. Only `ledger` makes one; without it there is no permit. */
export type Recorded = Brand<
  {
    readonly writer: string;
    readonly wseq: number;
    readonly tier: DurabilityTier;
    readonly leaf: string;
    /** What the entry recorded: the decision's digest, so that a permit cannot borrow another entry. */
    readonly decision: string | null;
  },
  'Recorded'
>;
