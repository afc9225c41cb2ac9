import { type Attempt, type RecordValue, sealRecord } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';

/** Where a session's chain of attempts stands: the number of the last one and its digest. */
export interface AttemptMark {
  readonly seq: number;
  readonly digest: string;
}

const noAttempt = `sha256:${'0'.repeat(64)}`;

/** A session's attempts, numbered without gaps and chained, over restarts of the gateway too. */
export class Attempts {
  #last: AttemptMark;

  /** `past` is what the journal holds of the session: one decision per attempt. */
  constructor(past: { readonly decisions: number; readonly attempt: string | null }) {
    this.#last = { seq: past.decisions, digest: past.attempt ?? noAttempt };
  }

  get last(): AttemptMark {
    return this.#last;
  }

  /** Takes the next number. INVARIANT: its entry is appended in the same turn of the event loop. */
  take(id: string, intent: string, at: string, channel: string): NumberedAttempt {
    const { seq, digest } = this.#last;
    const attempt = sealRecord<Attempt>({
      at,
      cause: null,
      channel,
      id,
      intent,
      prev: digest,
      seq: seq + 1,
      v: 'attempt/1',
    });
    const numbered = { attempt, digest: digestRecord('attempt', attempt as unknown as RecordValue) };
    this.#last = { seq: attempt.seq, digest: numbered.digest };
    return numbered;
  }

  /** The journal refused the entry: the number is free again, unless a later attempt already stands on it. */
  rollback(numbered: NumberedAttempt, before: AttemptMark): void {
    if (this.#last.digest === numbered.digest) this.#last = before;
  }
}

export interface NumberedAttempt {
  readonly attempt: Attempt;
  readonly digest: string;
}
