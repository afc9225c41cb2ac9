import { createLabel, digestLabel, isSameLevel, joinLabels, type Label, lostLabel, parseLabel } from '@cordon/policy';
import { type Clock, type RecordValue, type SessionPolicy, timestamp } from '@cordon/protocol';
import type { LabelContainer, LabelStore, StoredLabel } from '@cordon/store';
import { refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { Turn } from '../turns.ts';

export interface LabelParts {
  readonly store: LabelStore;
  readonly recorder: Pick<Recorder, 'record'>;
  readonly clock: Clock;
}

/**
 * What sessions have seen and what they have left where. INVARIANT: a stored label only falls, is recorded before it is
 * stored, and is stored before whatever it is for can be read or written.
 */
export class Labels {
  readonly #parts: LabelParts;
  readonly #writing = new Turn();

  constructor(parts: LabelParts) {
    this.#parts = parts;
  }

  /**
   * What lies in and around these folders: read in one turn, so that nothing of it is on record and not yet stored, and
   * whoever reads the ledger can tell what a session must have started with.
   */
  around(folders: readonly string[]): Promise<readonly StoredLabel[]> {
    return this.#writing.take(async () => {
      const found: StoredLabel[] = [];
      for (const folder of new Set(folders)) found.push(...(await this.#parts.store.around(folder)));
      return found;
    });
  }

  /** Before a session starts: what it writes into its own folder at once, others read at once. */
  async begins({ session, labels }: SessionPolicy): Promise<void> {
    if (labels?.workspace.mode !== 'direct') return;
    await this.#fall({ folder: labels.workspace.path }, parseLabel(labels.start) ?? lostLabel, session, 'start');
  }

  /** From a gateway, which says what a session that it serves has seen. @throws CordonError `session-ended` */
  async reported(policy: SessionPolicy | null, record: unknown): Promise<void> {
    if (policy === null) throw refusal('session-ended', 'no such session is alive');
    const { session, labels } = policy;
    const label = parseLabel(record) ?? lostLabel;
    await this.#fall({ session }, label, session, 'gateway');
    if (labels?.workspace.mode === 'direct')
      await this.#fall({ folder: labels.workspace.path }, label, session, 'gateway');
  }

  /**
   * A person takes over what a session proposes. The person has looked at it, and nothing but what was shown is written
   * (decision 0020), which vouches for these changes; how private they are no look changes. Recorded and stored before
   * anything is written. `start`: what the session began with, where it has seen nothing since; null: nobody knows.
   */
  async applied(session: string, folder: string, by: string, start: RecordValue): Promise<void> {
    const stored = await this.#parts.store.get({ session });
    const { confidentiality, readers } = parseLabel(stored?.label ?? start) ?? lostLabel;
    const label = createLabel({ integrity: 2, confidentiality, readers, sources: [`session:${session}`] });
    await this.#fall({ folder }, label, session, 'apply', { by });
  }

  /** One after the other, so that none overwrites what another has just made worse. */
  #fall(
    container: LabelContainer,
    by: Label,
    session: string,
    cause: string,
    more: { readonly [name: string]: RecordValue } = {},
  ): Promise<void> {
    return this.#writing.take(() => this.#write(container, by, session, cause, more));
  }

  async #write(
    container: LabelContainer,
    by: Label,
    session: string,
    cause: string,
    more: { readonly [name: string]: RecordValue },
  ): Promise<void> {
    const { store, recorder, clock } = this.#parts;
    const stored = await store.get(container);
    const before = stored === null ? null : (parseLabel(stored.label) ?? lostLabel);
    const after = before === null ? by : joinLabels(before, by);
    if (before !== null && isSameLevel(before, after)) return;
    // The journal of the gateway has what a session has seen; this one has what became of folders.
    if ('folder' in container) {
      await recorder.record(
        {
          type: 'label',
          session,
          data: {
            ...more,
            after: after as unknown as RecordValue,
            before: before === null ? null : digestLabel(before),
            cause,
            digest: digestLabel(after),
            folder: container.folder,
            grade: 1,
            of: 'folder',
          },
        },
        // On disk before the store has it: what is stored and not on record could not be told from a forgery.
        'disk',
      );
    }
    await store.put(container, { label: after as unknown as RecordValue, at: timestamp(clock) });
  }
}
