import { hash } from 'node:crypto';
import type { Entry, RecordValue } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { noLeaf } from '../leaf.ts';

/** What a writer has recorded of one session so far. */
export interface SessionPast {
  /** Last `seq` that was used; 0 = none. */
  readonly seq: number;
  /** Decision entries so far. */
  readonly decisions: number;
  /** `data.attemptDigest` of the last decision entry. */
  readonly attempt: string | null;
  /** Actions at resources that a breaker closed and nobody has reset. */
  readonly closed: readonly ClosedWay[];
  /** `data.after` of the last label entry: what the session had seen. */
  readonly label: RecordValue;
  /** What its reads had told by their own bytes, as the last allowed decision says. */
  readonly leaked: number;
}

interface ClosedWay {
  readonly action: string;
  readonly resource: string;
}

const nothing: SessionPast = { seq: 0, decisions: 0, attempt: null, closed: [], label: null, leaked: 0 };

/** Everything that the next entry depends on; a fold over the writer's entries. */
export class JournalState {
  wseq = 0;
  leaf = noLeaf;
  readonly sessions = new Map<string, SessionPast>();
  /** Attempts with a `start` and no `outcome` yet. */
  readonly starts = new Set<string>();
  #closed = new Set<string>();
  #forgettable = new Set<string>();

  past(session: string): SessionPast {
    return this.sessions.get(session) ?? nothing;
  }

  apply(entry: Entry, leaf: string): void {
    this.wseq = entry.wseq;
    this.leaf = leaf;
    const attempt = textOf(entry, 'attempt');
    if (entry.type === 'start' && attempt !== null) this.starts.add(attempt);
    if (entry.type === 'outcome' && attempt !== null) this.starts.delete(attempt);
    if (entry.type === 'recovery' && Array.isArray(entry.data['inDoubt'])) {
      for (const named of entry.data['inDoubt'] as readonly unknown[]) this.starts.delete(String(named));
    }
    if (entry.session === null) return;
    const before = this.past(entry.session);
    const decided = entry.type === 'decision';
    this.sessions.set(entry.session, {
      seq: entry.seq ?? before.seq,
      decisions: before.decisions + (decided ? 1 : 0),
      attempt: decided ? textOf(entry, 'attemptDigest') : before.attempt,
      closed: entry.type === 'breaker' ? closedAfter(before.closed, entry) : before.closed,
      label: entry.type === 'label' ? (entry.data['after'] ?? null) : before.label,
      leaked: decided && entry.data['outcome'] === 'allow' ? leakedAfter(before.leaked, entry) : before.leaked,
    });
  }

  closeSession(session: string): void {
    this.#closed.add(session);
  }

  /**
   * At the start of a segment. A closed session is forgotten one whole segment later, because a late `outcome` of it
   * must still find its number.
   */
  forgetClosed(): void {
    for (const session of this.#forgettable) this.sessions.delete(session);
    this.#forgettable = this.#closed;
    this.#closed = new Set();
  }

  /** The digest of the rest in its first line: a turned bit would give a session another number than its entries have. */
  toText(): string {
    const text = JSON.stringify({
      v: 'state/2',
      wseq: this.wseq,
      leaf: this.leaf,
      sessions: [...this.sessions],
      starts: [...this.starts],
      closed: [...this.#closed, ...this.#forgettable],
    });
    return `${hash('sha256', text)}\n${text}`;
  }

  /** Null when the text is not such a state for a segment that starts at `first`; the caller then reads every segment. */
  static from(written: string, first: number): JournalState | null {
    const [digest, text = ''] = written.split('\n', 2);
    if (digest !== hash('sha256', text)) return null;
    try {
      const value = JSON.parse(text) as {
        v: string;
        wseq: number;
        leaf: string;
        sessions: [string, SessionPast][];
        starts: string[];
        closed: string[];
      };
      if (value.v !== 'state/2' || value.wseq !== first - 1) return null;
      const state = new JournalState();
      state.wseq = value.wseq;
      state.leaf = value.leaf;
      for (const [session, past] of value.sessions) state.sessions.set(session, { ...nothing, ...past });
      for (const attempt of value.starts) state.starts.add(attempt);
      for (const session of value.closed) state.closeSession(session);
      return state;
    } catch {
      return null;
    }
  }
}

function closedAfter(before: readonly ClosedWay[], entry: Entry): readonly ClosedWay[] {
  const [action, resource] = [textOf(entry, 'action'), textOf(entry, 'resource')];
  if (entry.data['act'] === 'reset') return [];
  if (entry.data['act'] !== 'trip' || entry.data['level'] !== 2 || action === null || resource === null) return before;
  return [...before, { action, resource }];
}

/** Never less than before, whatever an entry says. */
function leakedAfter(before: number, { data }: Entry): number {
  const labels = data['labels'] as { readonly leakUsed?: unknown; readonly leakBytes?: unknown } | null | undefined;
  const after = Number(labels?.leakUsed) + Number(labels?.leakBytes);
  return Number.isSafeInteger(after) ? Math.max(before, after) : before;
}
