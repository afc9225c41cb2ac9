import type { EntryDraft, Journal, RecoveryReport } from '@cordon/ledger';
import type { DurabilityTier, EntryType, Recorded, RecordValue } from '@cordon/protocol';
import { refusal, unwritableSteps } from '../error.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';

export interface Note {
  readonly type: EntryType;
  readonly session: string | null;
  readonly data: { readonly [key: string]: RecordValue };
  /** Kept beside the entry under its digest: what is too large or too private for the entry itself. */
  readonly body?: string;
}

const urgentTypes: ReadonlySet<EntryType> = new Set(['approval', 'endorsement', 'kill', 'policy']);

export interface RecorderOptions {
  readonly open: () => Promise<Journal>;
  /** Something was recorded: the tree may follow. */
  readonly kick: () => void;
  /** What others should see at once was recorded: an approval, an activation, a kill. */
  readonly urgent: () => void;
  readonly log: Log;
}

/**
 * The control plane's own journal. What cannot be recorded is not done, except a stop (stop.md §1). A journal that
 * failed (a full disk, say) is opened anew until it works again: stops must go on being possible meanwhile, so this
 * process does not end for it.
 */
export class Recorder implements AsyncDisposable {
  readonly #options: RecorderOptions;
  #journal: Journal;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #closed = false;
  /** What the first opening found after an unclean end. */
  readonly recovery: RecoveryReport | null;

  private constructor(options: RecorderOptions, journal: Journal) {
    this.#options = options;
    this.#journal = journal;
    this.recovery = journal.recovery;
    this.#watch(journal);
  }

  static async open(options: RecorderOptions): Promise<Recorder> {
    return new Recorder(options, await options.open());
  }

  get failure(): Journal['failure'] {
    return this.#journal.failure;
  }

  /** @throws CordonError `ledger-unavailable`: whatever was to follow must not happen */
  async record(note: Note, tier: DurabilityTier): Promise<Recorded> {
    const draft: EntryDraft = {
      session: note.session,
      type: note.type,
      data: note.data,
      ...(note.body === undefined ? {} : { body: note.body }),
    };
    try {
      const recorded = await this.#journal.append(draft, tier);
      if (urgentTypes.has(note.type)) this.#options.urgent();
      return recorded;
    } catch (cause) {
      throw refusal(
        'ledger-unavailable',
        'the ledger cannot be written, so nothing new is done',
        unwritableSteps,
        cause,
      );
    } finally {
      this.#options.kick();
    }
  }

  /** A change that a person made through the API. */
  admin(
    by: string,
    act: string,
    data: { readonly [key: string]: RecordValue },
    session: string | null = null,
  ): Promise<Recorded> {
    return this.record({ type: 'admin', session, data: { act, by, ...data } }, 'disk');
  }

  /** After a session's last entry of ours. */
  closeSession(session: string): void {
    this.#journal.closeSession(session);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#journal.close();
  }

  #watch(journal: Journal): void {
    journal.onFailure((error) => {
      this.#options.log.fault('the ledger is down', error);
      this.#later();
    });
  }

  #later(): void {
    if (this.#closed || this.#retry !== null) return;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      void this.#reopen();
    }, limits.journalReopenMs);
  }

  async #reopen(): Promise<void> {
    const { log, open } = this.#options;
    try {
      // Its lock must be let go before the same journal can be opened again.
      await this.#journal.close().catch(() => undefined);
      if (this.#closed) return;
      this.#journal = await open();
      this.#watch(this.#journal);
      log.info('the ledger is written again');
    } catch (error: unknown) {
      log.fault('the ledger stays down', error);
      this.#later();
    }
  }
}
