import {
  checkCosignature,
  encodeAddCheckpoint,
  type LedgerTree,
  type PolicyWitness,
  parseWitnessPolicy,
  splitNote,
  type WitnessPolicy,
} from '@cordon/ledger';
import { isCordonError } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { Recorder } from './recorder.ts';

/** The network, as far as a witness needs it. Bounded in time and size by whoever gives it. */
export type AskWitness = (
  url: string,
  body: string,
) => Promise<{ readonly status: number; readonly type: string; readonly body: string }>;

/** A log whose heads are shown, and where it is written who saw them. */
export interface WitnessedLog {
  readonly tree: LedgerTree;
  readonly recorder: () => Recorder;
  /** Takes in what is recorded by now. */
  readonly integrate: () => Promise<void>;
}

export interface WitnessingParts {
  /** Tenants first, since the infrastructure logs their heads. */
  readonly logs: readonly WitnessedLog[];
  /** The text of the policy file (C2SP tlog-policy) as it is now; null when there is none. */
  readonly policyText: () => Promise<string | null>;
  readonly ask: AskWitness;
  readonly log: Log;
}

const unknownLog = 'follows none of the logs of this host: give it keys/ledger.vkey or keys/infrastructure.vkey';

type Answer =
  | { readonly kind: 'cosigned'; readonly line: string }
  /** `unknown`: this witness follows other logs. */
  | { readonly kind: 'refused' | 'silent' | 'unknown'; readonly why: string };

/**
 * Shows the heads to witnesses, every minute and after what matters most, and keeps what they sign. Each is shown all
 * and says which logs it follows; the infrastructure's alone is enough, since that logs the heads of the others. One that
 * is silent delays nothing; one that says no is a warning, because it has seen another history.
 */
export class Witnessing implements Disposable {
  readonly #parts: WitnessingParts;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What each witness has cosigned last of each log, as far as is known. */
  readonly #sizes = new Map<string, number>();
  #warnings: readonly string[] = [];
  #soon: ReturnType<typeof setTimeout> | null = null;
  #running: Promise<void> | null = null;
  #again = false;

  constructor(parts: WitnessingParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#follow(), limits.witnessIntervalMs);
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** After an approval, an activation or a kill; several at once are one round. */
  kick(): void {
    this.#soon ??= setTimeout(() => this.#follow(), limits.witnessDelayMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
  }

  /** One round; of several calls at once the last sees everything that was recorded before it. */
  async run(): Promise<void> {
    if (this.#running !== null) {
      this.#again = true;
      return await this.#running;
    }
    this.#running = this.#rounds().finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  #follow(): void {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    this.run().catch((error: unknown) => this.#parts.log.fault('witnesses', error));
  }

  async #rounds(): Promise<void> {
    do {
      this.#again = false;
      await this.#round();
    } while (this.#again);
  }

  async #round(): Promise<void> {
    const policy = await this.#policy();
    const asked = policy?.witnesses.filter(({ url }) => url !== null) ?? [];
    if (policy === null || asked.length === 0) return;
    const follows = new Set<string>();
    const warnings: string[] = [];
    for (const log of this.#parts.logs) {
      const answers = await this.#show(log, policy, asked);
      for (const [i, { name }] of asked.entries()) {
        const answer = answers[i];
        if (answer === undefined || answer.kind === 'unknown') continue;
        follows.add(name);
        if (answer.kind !== 'cosigned') warnings.push(`witness ${name}: ${answer.why}`);
      }
    }
    const others = asked.filter(({ name }) => !follows.has(name));
    this.#warnings = [...new Set([...warnings, ...others.map(({ name }) => `witness ${name}: ${unknownLog}`)])];
  }

  async #show(
    { tree, recorder, integrate }: WitnessedLog,
    policy: WitnessPolicy,
    asked: readonly PolicyWitness[],
  ): Promise<readonly Answer[]> {
    await integrate();
    const { head } = tree;
    if (head.size === 0) return [];
    const answers = await Promise.all(asked.map((witness) => this.#askOne(witness, tree, head)));
    if (answers.every(({ kind }) => kind === 'unknown')) return answers;
    const names = asked.filter((_, i) => answers[i]?.kind === 'cosigned').map(({ name }) => name);
    const lines = answers.flatMap((answer) => (answer.kind === 'cosigned' ? [answer.line] : []));
    const quorum = policy.satisfied(new Set(names));
    const refused = asked.filter((_, i) => answers[i]?.kind === 'refused').map(({ name }) => name);
    // A head that too few have seen would take the place of one that enough had.
    if (quorum && lines.length > 0) await tree.keepCosigned(head.checkpoint + lines.join(''));
    const data = { log: tree.origin, size: head.size, root: head.root, names, refused, quorum };
    await recorder().record({ type: 'witness', session: null, data }, 'os');
    return answers;
  }

  async #policy(): Promise<WitnessPolicy | null> {
    const text = await this.#parts.policyText();
    if (text === null) {
      this.#warnings = [];
      return null;
    }
    try {
      return parseWitnessPolicy(text);
    } catch (error) {
      if (!isCordonError(error)) throw error;
      this.#warnings = [`witnesses: ${error.message}`];
      return null;
    }
  }

  async #askOne(witness: PolicyWitness, tree: LedgerTree, head: LedgerTree['head']): Promise<Answer> {
    const which = `${witness.name} ${tree.origin}`;
    try {
      const answer = await this.#submit(witness, tree, head, this.#sizes.get(which) ?? 0);
      const known = answer.status === 409 && answer.type === 'text/x.tlog.size' ? parseSize(answer.body) : null;
      if (known !== null && known < head.size && known !== this.#sizes.get(which)) {
        // It has seen more than this process remembers, which a restart explains.
        this.#sizes.set(which, known);
        return this.#read(witness, which, head, await this.#submit(witness, tree, head, known));
      }
      return this.#read(witness, which, head, answer);
    } catch (error: unknown) {
      return { kind: 'silent', why: `does not answer: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  async #submit(
    witness: PolicyWitness,
    tree: LedgerTree,
    head: LedgerTree['head'],
    oldSize: number,
  ): ReturnType<AskWitness> {
    const steps = tree.proveConsistency(oldSize, head.size);
    const proof = steps.map((step) => Buffer.from(step, 'hex'));
    const body = encodeAddCheckpoint({ oldSize, proof, checkpoint: head.checkpoint });
    return await this.#parts.ask(`${witness.url?.replace(/\/$/, '')}/add-checkpoint`, body);
  }

  #read(
    { verifier }: PolicyWitness,
    which: string,
    head: LedgerTree['head'],
    { status, body }: Awaited<ReturnType<AskWitness>>,
  ): Answer {
    if (status === 404) return { kind: 'unknown', why: unknownLog };
    if (status !== 200) {
      const kind = status === 409 || status === 422 ? 'refused' : 'silent';
      return { kind, why: `answered ${status}; it has seen another history of this log, or believes another key` };
    }
    const { text } = splitNote(head.checkpoint);
    const line = body.split('\n').find((one) => checkCosignature(text, [one], verifier) !== null);
    if (line === undefined) return { kind: 'silent', why: 'answered with no signature of its key' };
    this.#sizes.set(which, head.size);
    return { kind: 'cosigned', line: `${line}\n` };
  }
}

function parseSize(body: string): number | null {
  return /^(0|[1-9][0-9]{0,15})\n$/.test(body) ? Number(body) : null;
}
