import type {
  Clock,
  CordonError,
  DurabilityTier,
  EntryInput,
  EntryType,
  Recorded,
  RecordValue,
} from '@cordon/protocol';
import type { LedgerErrorCode } from '../error.ts';
import type { Sealing } from '../seal/seal.ts';
import type { JournalFiles } from './files.ts';
import type { RecoveryReport } from './recovery.ts';
import type { SessionPast } from './state.ts';

/** What a writer says; the journal adds the rest of the {@link EntryInput}. */
export interface EntryDraft {
  readonly session: string | null;
  /** Left out: the session's next number. A number is checked to be just that. Null: not part of the sequence. */
  readonly seq?: EntryInput['seq'];
  readonly type: EntryType;
  readonly data: { readonly [key: string]: RecordValue };
  /** Kept beside the entry under its digest, in the same write; the entry's `seal` names it. Not to be changed until answered. */
  readonly body?: Uint8Array | string;
}

export interface JournalOptions {
  /** Folder of the tenant's journals; the writer's own folder is made below it. */
  readonly directory: string;
  readonly tenant: string;
  readonly writer: string;
  readonly clock: Pick<Clock, 'now'>;
  /** The journal must hold at least this many entries, because the tree does. */
  readonly atLeast?: number;
  readonly segmentBytes?: number;
  readonly files?: JournalFiles;
  /** Seals the bodies; left out, they stay in clear. */
  readonly sealing?: Sealing;
}

export interface Head {
  readonly wseq: number;
  readonly leaf: string;
}

/**
 * The commit point: what `append` has answered for is recorded, and nothing else is.
 *
 * Any failed or short write and any failed sync takes the journal down for good: what the disk holds is then unknown,
 * so every append rejects until the journal is closed and opened anew, which cuts what is torn.
 */
export interface Journal extends AsyncDisposable {
  readonly writer: string;
  readonly tenant: string;
  readonly head: Head;
  /** What opening had to do; null when the journal is new. */
  readonly recovery: RecoveryReport | null;
  readonly failure: CordonError<LedgerErrorCode> | null;
  /**
   * @throws CordonError `ledger-full` `ledger-too-large` `ledger-sequence` `ledger-down` `not-canonical`
   */
  append(draft: EntryDraft, tier: DurabilityTier): Promise<Recorded>;
  /** All drafts in one write, neighbours in the journal. */
  appendTogether(drafts: readonly EntryDraft[], tier: DurabilityTier): Promise<readonly Recorded[]>;
  /** Everything appended so far is on disk. */
  sync(): Promise<void>;
  past(session: string): SessionPast;
  /** Nothing more will be said about this session; its counters may be forgotten. */
  closeSession(session: string): void;
  onFailure(listener: (error: CordonError<LedgerErrorCode>) => void): void;
  close(): Promise<void>;
}
