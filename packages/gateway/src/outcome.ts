import type { UpstreamAnswer } from '@cordon/egress';
import type { EntryDraft } from '@cordon/ledger';
import { failedOutcome } from '@cordon/policy';
import type { Clock } from '@cordon/protocol';
import { isUnsent } from './failure.ts';
import { outcomeEntry } from './record.ts';

/** Collects what became of one effect; {@link entry} is its one ledger entry. */
export class Outcome {
  readonly #clock: Clock;
  readonly #startedMs: number;
  #code = 'relayed';
  #bytesOut: number | null = null;
  #answer: Pick<UpstreamAnswer, 'status' | 'address'> | null = null;
  #relayed: { readonly digest: string | null; readonly scrubbed: readonly string[] } | null = null;
  #credentials: readonly string[] = [];
  #firstByteMs: number | null = null;
  #bytesIn = 0;

  constructor(clock: Clock, startedMs: number) {
    this.#clock = clock;
    this.#startedMs = startedMs;
  }

  leased(names: readonly string[]): void {
    this.#credentials = names;
  }

  /** From now on the server may have the request. */
  sent(bytes: number): void {
    this.#bytesOut = bytes;
  }

  answered(answer: Pick<UpstreamAnswer, 'status' | 'address'>): void {
    this.#answer = answer;
  }

  firstByte(): void {
    this.#firstByteMs = this.#elapsed();
  }

  received(bytes: number): void {
    this.#bytesIn += bytes;
  }

  relayed(relayed: { readonly digest: string | null; readonly scrubbed: readonly string[] }): void {
    this.#relayed = relayed;
  }

  failed(code: string): void {
    this.#code = code;
  }

  /** The server cannot have the request. */
  get unsent(): boolean {
    return this.#bytesOut === null || isUnsent(this.#code);
  }

  /** Whether the destination failed; null when it was not asked, or something of ours or the agent's ended it. */
  get sinkFailed(): boolean | null {
    return failedOutcome(this.#code, this.#answer?.status ?? null);
  }

  /** `tick`: when it was counted. */
  entry(session: string, attempt: string, tick: number): EntryDraft {
    const { unsent } = this;
    return outcomeEntry(session, attempt, {
      address: this.#answer?.address ?? null,
      bytesIn: this.#bytesIn,
      bytesOut: unsent ? 0 : (this.#bytesOut ?? 0),
      code: this.#code,
      credentials: this.#credentials,
      digest: this.#relayed?.digest ?? null,
      // The server may have acted on a request whose answer nobody saw: shown, never retried by us.
      doubt: !unsent && this.#answer === null,
      firstByteMs: this.#firstByteMs,
      scrubbed: this.#relayed?.scrubbed ?? [],
      status: this.#answer?.status ?? null,
      tick,
      totalMs: this.#elapsed(),
    });
  }

  #elapsed(): number {
    return Math.max(0, Math.round(this.#clock.monotonic() - this.#startedMs));
  }
}
