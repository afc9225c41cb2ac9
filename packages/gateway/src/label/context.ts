import {
  createContextProvenance,
  digestLabel,
  joinLabels,
  type Label,
  LeakMeter,
  namedByOrder,
  type Provenance,
} from '@cordon/policy';
import type { SessionLabels } from '@cordon/protocol';

/** Where a session works; null: nobody said. */
export type Workspace = SessionLabels['workspace'] | null;

/**
 * What one session has seen, joined. INVARIANT: `label` only ever falls, and it has fallen here before the first byte of
 * what it fell for is relayed; `recorded` is what the journal holds of it.
 */
export class Context {
  readonly session: string;
  readonly workspace: Workspace;
  readonly meter: LeakMeter;
  readonly #order: readonly string[];
  #label: Label;
  #provenance: Provenance;
  recorded: Label | null = null;
  /** What the workspace's own label is known to hold already. */
  stored: Label | null = null;
  /** Falls are recorded one after the other. */
  writing: Promise<void> = Promise.resolve();

  constructor(session: string, label: Label, order: readonly string[], workspace: Workspace, leaked = 0) {
    this.session = session;
    this.meter = new LeakMeter(leaked);
    this.workspace = workspace;
    this.#order = order;
    this.#label = label;
    this.#provenance = createContextProvenance(label, namedByOrder(order));
  }

  get label(): Label {
    return this.#label;
  }

  get provenance(): Provenance {
    return this.#provenance;
  }

  /** The session writes where others read: what it has seen is in there. */
  get direct(): boolean {
    return this.workspace?.mode === 'direct';
  }

  /** false: it had that already. */
  lower(by: Label): boolean {
    const joined = joinLabels(this.#label, by);
    if (joined === this.#label || digestLabel(joined) === digestLabel(this.#label)) return false;
    this.#label = joined;
    this.#provenance = createContextProvenance(joined, namedByOrder(this.#order));
    return true;
  }

  /** One of the two folders is the other, or lies in it. */
  overlaps(other: Context): boolean {
    const [a, b] = [this.workspace?.path, other.workspace?.path];
    if (a === undefined || b === undefined) return false;
    return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
  }
}
