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
import type { Integrator } from './integrator.ts';
import type { Recorder } from './recorder.ts';

/** The network, as far as a witness needs it. Bounded in time and size by whoever gives it. */
export type AskWitness = (
  url: string,
  body: string,
) => Promise<{ readonly status: number; readonly type: string; readonly body: string }>;

export interface WitnessingParts {
  readonly tree: LedgerTree;
  readonly integrator: Integrator;
  readonly recorder: () => Recorder;
  /** The text of the policy file (C2SP tlog-policy) as it is now; null when there is none. */
  readonly policyText: () => Promise<string | null>;
  readonly ask: AskWitness;
  readonly log: Log;
}

type Answer =
  | { readonly kind: 'cosigned'; readonly line: string }
  | { readonly kind: 'refused' | 'silent'; readonly why: string };

/**
 * Shows the tree's head to witnesses, every minute and after what matters most, and keeps what they sign. A witness
 * that is silent delays nothing; one that says no is a warning, because it has seen another history.
 */
export class Witnessing implements Disposable {
  readonly #parts: WitnessingParts;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What each witness has cosigned last, as far as is known. */
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
    const { tree, integrator, recorder } = this.#parts;
    await integrator.run();
    const { head } = tree;
    if (head.size === 0) return;
    const answers = await Promise.all(asked.map((witness) => this.#askOne(witness, head)));
    const names = asked.filter((_, i) => answers[i]?.kind === 'cosigned').map(({ name }) => name);
    const lines = answers.flatMap((answer) => (answer.kind === 'cosigned' ? [answer.line] : []));
    const quorum = policy.satisfied(new Set(names));
    this.#warnings = asked.flatMap(({ name }, i) => {
      const answer = answers[i];
      return answer === undefined || answer.kind === 'cosigned' ? [] : [`witness ${name}: ${answer.why}`];
    });
    const refused = asked.filter((_, i) => answers[i]?.kind === 'refused').map(({ name }) => name);
    // A head that too few have seen would take the place of one that enough had.
    if (quorum && lines.length > 0) await tree.keepCosigned(head.checkpoint + lines.join(''));
    const data = { size: head.size, root: head.root, names, refused, quorum };
    await recorder().record({ type: 'witness', session: null, data }, 'os');
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

  async #askOne(witness: PolicyWitness, head: LedgerTree['head']): Promise<Answer> {
    try {
      const answer = await this.#submit(witness, head, this.#sizes.get(witness.name) ?? 0);
      const known = answer.status === 409 && answer.type === 'text/x.tlog.size' ? parseSize(answer.body) : null;
      if (known !== null && known < head.size && known !== this.#sizes.get(witness.name)) {
        // It has seen more than this process remembers, which a restart explains.
        this.#sizes.set(witness.name, known);
        return this.#read(witness, head, await this.#submit(witness, head, known));
      }
      return this.#read(witness, head, answer);
    } catch (error: unknown) {
      return { kind: 'silent', why: `does not answer: ${error instanceof Error ? error.message : String(error)}` };
    }
  }

  async #submit(witness: PolicyWitness, head: LedgerTree['head'], oldSize: number): ReturnType<AskWitness> {
    const steps = this.#parts.tree.proveConsistency(oldSize, head.size);
    const proof = steps.map((step) => Buffer.from(step, 'hex'));
    const body = encodeAddCheckpoint({ oldSize, proof, checkpoint: head.checkpoint });
    return await this.#parts.ask(`${witness.url?.replace(/\/$/, '')}/add-checkpoint`, body);
  }

  #read(
    { name, verifier }: PolicyWitness,
    head: LedgerTree['head'],
    { status, body }: Awaited<ReturnType<AskWitness>>,
  ): Answer {
    if (status !== 200) {
      const kind = status === 409 || status === 422 ? 'refused' : 'silent';
      return { kind, why: `answered ${status}; it has seen another history of this log, or does not know it` };
    }
    const { text } = splitNote(head.checkpoint);
    const line = body.split('\n').find((one) => checkCosignature(text, [one], verifier) !== null);
    if (line === undefined) return { kind: 'silent', why: 'answered with no signature of its key' };
    this.#sizes.set(name, head.size);
    return { kind: 'cosigned', line: `${line}\n` };
  }
}

function parseSize(body: string): number | null {
  return /^(0|[1-9][0-9]{0,15})\n$/.test(body) ? Number(body) : null;
}
