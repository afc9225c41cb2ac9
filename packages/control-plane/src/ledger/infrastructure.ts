import { headData, type Journal, type LedgerTree, toLoggedHead } from '@cordon/ledger';
import type { LedgerProof } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { Recorder } from './recorder.ts';

export interface InfrastructureOptions {
  /** The host's own tree. */
  readonly tree: LedgerTree;
  readonly openJournal: () => Promise<Journal>;
}

/**
 * The ledger of the host itself: it logs the heads of the tenants' trees, so that who follows this one tree follows all of
 * them and learns of each no more than sizes and hashes. What goes wrong here delays no tenant.
 */
export class Infrastructure implements AsyncDisposable {
  readonly tree: LedgerTree;
  readonly recorder: Recorder;
  readonly #tenants: readonly LedgerTree[];
  readonly #timer: ReturnType<typeof setInterval>;
  /** By origin, the size that was logged last; a new process logs each head once more. */
  readonly #logged = new Map<string, number>();
  #problem: string | null = null;
  #running: Promise<void> = Promise.resolve();

  private constructor(tree: LedgerTree, tenants: readonly LedgerTree[], recorder: Recorder, log: Log) {
    this.tree = tree;
    this.recorder = recorder;
    this.#tenants = tenants;
    this.#timer = setInterval(() => {
      this.run().catch((error: unknown) => log.fault('the ledger of the infrastructure', error));
    }, limits.headIntervalMs);
  }

  static async open(
    { tree, openJournal }: InfrastructureOptions,
    tenants: readonly LedgerTree[],
    log: Log,
  ): Promise<Infrastructure> {
    const nothing = (): void => undefined;
    const recorder = await Recorder.open({ open: openJournal, kick: nothing, urgent: nothing, log });
    return new Infrastructure(tree, tenants, recorder, log);
  }

  get problem(): string | null {
    return this.recorder.failure?.message ?? this.#problem;
  }

  /** Logs the heads that are new, and takes them into the tree. */
  run(): Promise<void> {
    const next = this.#running.then(() => this.#log());
    this.#running = next.catch((error: unknown) => {
      this.#problem = error instanceof Error ? error.message : String(error);
    });
    return next;
  }

  /**
   * Proof of an entry of a tenant under a head that is logged here, and the proof of that head; null while none covers it.
   * Heads that witnesses have seen come first.
   */
  prove(tenant: LedgerTree, index: number): { readonly entry: LedgerProof; readonly head: LedgerProof } | null {
    for (const size of new Set([this.tree.cosigned?.size ?? 0, this.tree.head.size])) {
      const found = this.#newest(tenant.origin, size);
      if (found === null || found.size <= index) continue;
      return { entry: tenant.prove(index, found.size), head: this.tree.prove(found.index) };
    }
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    // The last heads of all, so that a clean end leaves nothing unlogged.
    await this.run().catch(() => undefined);
    await this.recorder[Symbol.asyncDispose]();
  }

  async #log(): Promise<void> {
    for (const tenant of this.#tenants) {
      const { size } = tenant.head;
      if (this.#logged.get(tenant.origin) === size) continue;
      await this.recorder.record({ type: 'head', session: null, data: headData(tenant) }, 'os');
      this.#logged.set(tenant.origin, size);
    }
    for (;;) {
      const { more, problems } = await this.tree.integrate();
      this.#problem = problems.length === 0 ? null : JSON.stringify(problems[0]);
      if (!more) return;
    }
  }

  /** The last head of that log among the first `under` entries. */
  #newest(log: string, under: number): { readonly index: number; readonly size: number } | null {
    for (let to = under; to > 0; ) {
      const from = Math.max(0, to - limits.headsReadMax);
      for (const { index, entry } of this.tree.entries(from, to - from).reverse()) {
        const head = toLoggedHead(entry);
        if (head?.log === log) return { index, size: head.size };
      }
      to = from;
    }
    return null;
  }
}
