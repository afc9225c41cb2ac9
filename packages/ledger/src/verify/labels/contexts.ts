import type { Entry } from '@cordon/protocol';
import { textOf } from '../../entry.ts';
import type { Frame } from '../frames.ts';
import type { Findings } from '../report.ts';
import { isNoBetter, keepsSources, type Levels, type RecordedLabel, readLabel } from './label.ts';
import { LeakTotals } from './leak.ts';
import { memberOf } from './member.ts';

/** An effect that began, and by which grants its answer is judged. */
export interface Begun {
  readonly resource: string;
  readonly session: string;
  readonly generation: number;
  readonly revision: number;
}

/**
 * What an answer of this effect must at least have done to the integrity of whoever saw it: 0 where no grant says that its
 * place yields better; a text says why that cannot be told.
 */
export type Yielded = (begun: Begun) => number | string;

export interface SessionLabels {
  /** In the order of the journal. */
  readonly chain: RecordedLabel[];
  readonly digests: Map<string, number>;
  /** Contexts of decisions that came before their label was recorded. */
  readonly pending: Map<string, Frame>;
  readonly leak: LeakTotals;
  /** The first and the last label with where they stand, for the comparison with the session's order. */
  first: Frame | null;
  last: Frame | null;
  /** Of this life of its gateway. */
  recorded: string | null;
}

/** One gateway's journal: what each session had seen, and by which of it was decided. */
export class Contexts {
  readonly sessions = new Map<string, SessionLabels>();
  readonly #findings: Findings;
  readonly #yielded: Yielded | null;
  /** Attempts that were started since this writer was opened. */
  #started = new Set<string>();
  readonly #running = new Map<string, Begun>();
  /** Allowed, and perhaps started with the next entry. */
  #allowed: Begun | null = null;

  constructor(findings: Findings, yielded: Yielded | null) {
    this.#findings = findings;
    this.#yielded = yielded;
  }

  add(frame: Frame): void {
    const { entry } = frame;
    if (entry.type === 'recovery' && entry.data['part'] === 1) this.#begin();
    else if (entry.type === 'decision') this.#addDecision(frame);
    else if (entry.type === 'start') this.#addStart(entry);
    else if (entry.type === 'outcome') this.#addOutcome(frame);
    else if (entry.type === 'label' && entry.data['of'] === 'context') this.#addLabel(frame);
  }

  /** What was decided by a label that nobody recorded afterwards: its recording failed, or a crash came before it. */
  end(): void {
    for (const { pending } of this.sessions.values()) {
      for (const _ of pending) this.#findings.leave('not looked at: a context that fell and was never recorded');
    }
  }

  #begin(): void {
    this.#started = new Set();
    this.#running.clear();
    for (const session of this.sessions.values()) {
      session.recorded = null;
      session.leak.begin();
    }
  }

  #of(id: string): SessionLabels {
    const known = this.sessions.get(id);
    if (known !== undefined) return known;
    const made = {
      ...{ chain: [], digests: new Map<string, number>(), pending: new Map<string, Frame>(), leak: new LeakTotals() },
      ...{ first: null, last: null, recorded: null },
    };
    this.sessions.set(id, made);
    return made;
  }

  #addLabel(frame: Frame): void {
    const { entry } = frame;
    const label = readLabel(entry.data);
    if (label === null || entry.session === null) {
      this.#findings.fail(frame.failure('label', 'no label, or not the one that its digest says'));
      return;
    }
    this.#findings.count('labels');
    const session = this.#of(entry.session);
    const before = session.chain.at(-1);
    // A gateway that begins anew does not say what there was; that it is no better is looked at all the same.
    if (entry.data['before'] !== session.recorded)
      this.#findings.fail(frame.failure('before', 'does not name the label of the session before it'));
    if (before !== undefined && !(isNoBetter(label, before) && keepsSources(label, before)))
      this.#findings.fail(frame.failure('rise', 'what a session has seen is better than before'));
    const cause = String(entry.data['cause']);
    if (cause !== 'start' && !this.#started.has(cause))
      this.#findings.fail(frame.failure('cause', `fell by ${cause}, which was not started`));
    session.digests.set(label.digest, session.chain.length);
    session.chain.push(label);
    session.recorded = label.digest;
    session.first ??= frame;
    session.last = frame;
    const early = session.pending.get(label.digest);
    session.pending.delete(label.digest);
    if (early !== undefined) this.#checkFlow(early, label);
  }

  #addDecision(frame: Frame): void {
    const { entry } = frame;
    const allowed = textOf(entry, 'outcome') === 'allow';
    this.#allowed = allowed ? begunOf(entry) : null;
    const ctx = memberOf(entry.data['labels'], 'ctx');
    if (typeof ctx !== 'string') {
      this.#findings.leave('not looked at: decisions without labels in clear');
      return;
    }
    this.#findings.count('decisions');
    const session = this.#of(entry.session ?? '');
    const now = session.chain.at(-1);
    if (now === undefined) {
      this.#findings.fail(frame.failure('start', 'decided before anybody recorded what the session had seen'));
      return;
    }
    // What people are asked about is recorded by what was known when they were asked; an effect is decided by now.
    if (allowed) {
      this.#checkNow(frame, session, now, ctx);
      const wrong = session.leak.add(entry.data);
      if (wrong !== null) this.#findings.fail(frame.failure('leak', wrong));
    }
    const at = session.digests.get(ctx);
    const label = at === undefined ? undefined : session.chain[at];
    if (label !== undefined) this.#checkFlow(frame, label);
  }

  /** It falls in memory first, so a decision may know more than the journal, and never less. */
  #checkNow(frame: Frame, session: SessionLabels, now: RecordedLabel, ctx: string): void {
    const at = session.digests.get(ctx);
    if (at === undefined) {
      if (isNoBetter(flowLevels(frame.entry, now), now)) session.pending.set(ctx, frame);
      else this.#findings.fail(frame.failure('stale', 'allowed by a label that is on record nowhere, and is better'));
    } else if (at !== session.chain.length - 1 && ctx !== now.digest) {
      this.#findings.fail(frame.failure('stale', 'allowed by what the session had seen before it saw more'));
    }
  }

  #checkFlow(frame: Frame, label: RecordedLabel): void {
    const { entry } = frame;
    const [integ, conf] = ['ctxInteg', 'ctxConf'].map((name) => memberOf(entry.data['flow'], name));
    const [argInteg, argConf] = ['argInteg', 'argConf'].map((name) => memberOf(entry.data['flow'], name));
    // What the far side of a WebSocket says is not the agent's.
    const inbound = textOf(entry, 'action') === 'http.message' && argInteg === 0 && argConf === 0;
    const same = integ === label.integrity && conf === label.confidentiality;
    if (same && (inbound || (argInteg === integ && argConf === conf))) return;
    this.#findings.fail(frame.failure('flow', 'its flow facts are not those of the label that it names'));
  }

  #addStart(entry: Entry): void {
    const attempt = textOf(entry, 'attempt');
    if (attempt === null || entry.session === null) return;
    this.#started.add(attempt);
    if (this.#allowed !== null) this.#running.set(attempt, this.#allowed);
    this.#allowed = null;
  }

  /** Somebody saw an answer: whatever it was, by then the session had fallen as far as such an answer takes it. */
  #addOutcome(frame: Frame): void {
    const { entry } = frame;
    const begun = this.#running.get(textOf(entry, 'attempt') ?? '');
    this.#running.delete(textOf(entry, 'attempt') ?? '');
    const now = this.sessions.get(entry.session ?? '')?.chain.at(-1);
    if (begun === undefined || now === undefined || typeof entry.data['firstByteMs'] !== 'number') return;
    this.#findings.count('answers');
    const credentials = entry.data['credentials'];
    const leased = Array.isArray(credentials) && credentials.length > 0;
    if (now.integrity > 2 || (leased && now.confidentiality < 2)) {
      this.#findings.fail(frame.failure('unfallen', 'saw an answer, and is on record as if it had not'));
      return;
    }
    const due = this.#yielded === null ? 'what grants say of answers is sealed' : this.#yielded(begun);
    if (typeof due === 'string') this.#findings.leave(`not looked at: ${due}`);
    else if (now.integrity > due)
      this.#findings.fail(frame.failure('yields', `saw an answer of ${begun.resource}, for which no grant vouches`));
  }
}

function begunOf({ session, data }: Entry): Begun {
  const [resource, generation, revision] = [data['resource'], data['generation'], data['revision']];
  return {
    ...{ session: session ?? '', resource: String(resource) },
    ...{ generation: Number(generation), revision: Number(revision) },
  };
}

/** As far as the flow facts say; who may read it they do not. */
function flowLevels({ data }: Entry, { readers }: Levels): Levels {
  const [integ, conf] = ['ctxInteg', 'ctxConf'].map((name) => memberOf(data['flow'], name));
  // What is not said is better than anything.
  return {
    integrity: typeof integ === 'number' ? integ : 5,
    confidentiality: typeof conf === 'number' ? conf : -1,
    readers,
  };
}
