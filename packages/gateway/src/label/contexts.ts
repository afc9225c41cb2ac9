import type { EntryDraft, Journal } from '@cordon/ledger';
import { isSameLevel, joinLabels, type Label, lostLabel, parseLabel } from '@cordon/policy';
import type { SessionPolicy } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import { labelEntry } from '../record.ts';
import type { Session } from '../session/session.ts';
import { Context } from './context.ts';

export interface ContextsOptions {
  readonly journal: Journal;
  /** Puts the label to the session's workspace, by the control plane; rejects when it is not stored. */
  readonly store: (session: string, label: Label) => Promise<void>;
  /** Streams that nobody reads are asked about again. */
  readonly fallen: (session: string) => void;
}

/** What each session of this gateway has seen. Every change goes to the journal before what caused it is relayed. */
export class Contexts {
  readonly #options: ContextsOptions;
  readonly #contexts = new Map<string, Context>();
  readonly #beginning = new Map<string, Promise<Context>>();

  constructor(options: ContextsOptions) {
    this.#options = options;
  }

  /** Null before {@link begin}. */
  of(session: string): Context | null {
    return this.#contexts.get(session) ?? null;
  }

  /** What the session starts with, or had when this gateway's predecessor died. @throws GatewayError `flow-R7` */
  async begin(session: Session, policy: SessionPolicy): Promise<Context> {
    const known = this.#contexts.get(session.id);
    if (known !== undefined && known.recorded !== null) return known;
    let beginning = this.#beginning.get(session.id);
    if (beginning === undefined) {
      beginning = this.#begin(session, policy).finally(() => this.#beginning.delete(session.id));
      this.#beginning.set(session.id, beginning);
    }
    return await beginning;
  }

  /**
   * The session is about to see something of this label. INVARIANT: when this resolves, every later intent of the
   * session carries it, the journal holds it, and a workspace that the session writes is labelled so (R7).
   * @throws GatewayError `flow-R7` `journal-failed`
   */
  async fall(session: string, by: Label, cause: string): Promise<void> {
    const context = this.#contexts.get(session);
    if (context === undefined) throw new GatewayError('flow-R7', 'nothing is known of what the session has seen');
    const unrecorded = this.#lower(context, by).filter(({ label, recorded }) => label !== recorded);
    if (unrecorded.length > 0) await Promise.all(unrecorded.map((each) => this.#write(each, cause)));
  }

  close(session: string): void {
    this.#contexts.delete(session);
  }

  /** The control plane is back: what it could not be told of sessions whose workspace is not written by them. */
  resend(): void {
    for (const context of this.#contexts.values()) {
      if (!context.direct && context.recorded !== null) this.#tell(context);
    }
  }

  async #begin(session: Session, policy: SessionPolicy): Promise<Context> {
    const { labels } = policy;
    const start = parseLabel(labels?.start) ?? lostLabel;
    const { label: past, decisions, leaked } = session.past;
    // Decisions without a label are of a time that nobody knows about.
    const before = past !== null ? (parseLabel(past) ?? lostLabel) : decisions > 0 ? lostLabel : start;
    const { order = [], workspace = null } = labels ?? {};
    const context = new Context(session.id, joinLabels(start, before), order, workspace, leaked);
    context.stored = start;
    for (const other of this.#contexts.values()) {
      if (other.direct && other.overlaps(context)) context.lower(other.label);
    }
    this.#contexts.set(session.id, context);
    const touched = this.#lower(context, context.label);
    await Promise.all(touched.map((each) => this.#write(each, 'start')));
    return context;
  }

  /** In memory, of everybody whom it reaches: a session that writes a folder hands on what it has seen to its readers. */
  #lower(context: Context, by: Label): Context[] {
    const touched = [context];
    if (context.lower(by)) this.#options.fallen(context.session);
    if (!context.direct) return touched;
    for (const other of this.#contexts.values()) {
      if (other === context || !context.overlaps(other)) continue;
      if (isSameLevel(joinLabels(other.label, context.label), other.label)) continue;
      touched.push(...this.#lower(other, context.label));
    }
    return touched;
  }

  #write(context: Context, cause: string): Promise<void> {
    const next = context.writing.then(
      () => this.#record(context, cause),
      () => this.#record(context, cause),
    );
    context.writing = next;
    return next;
  }

  async #record(context: Context, cause: string): Promise<void> {
    const { label, recorded } = context;
    if (recorded === label) return;
    if (context.direct) await this.#store(context, label);
    await this.#append(labelEntry(context.session, recorded, label, cause));
    context.recorded = label;
    if (!context.direct) this.#tell(context);
  }

  async #append(entry: EntryDraft): Promise<void> {
    try {
      await this.#options.journal.append(entry, 'os');
    } catch (cause: unknown) {
      throw new GatewayError('journal-failed', 'what the session has seen could not be recorded', { cause });
    }
  }

  async #store(context: Context, label: Label): Promise<void> {
    if (context.stored !== null && isSameLevel(context.stored, label)) return;
    try {
      await this.#options.store(context.session, label);
    } catch (cause: unknown) {
      throw new GatewayError('flow-R7', 'the label of the workspace could not be stored', { cause });
    }
    context.stored = label;
  }

  /** Nobody reads what the session writes before a person has looked at it, so nothing waits for this. */
  #tell(context: Context): void {
    const { label } = context;
    this.#options.store(context.session, label).catch(() => undefined);
  }
}
