import type { Clock, PolicyShadow } from '@cordon/protocol';
import { timestamp } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { Candidate } from './candidate.ts';
import { Rejudge, recordedOf, type TrafficParts, TrafficTally } from './traffic.ts';

/**
 * A candidate that judges beside: what was decided is read from the ledger's index after it was recorded, so no request
 * waits for it, and what it says goes into a report and nowhere else. Not kept over a restart.
 */
export class Shadow implements AsyncDisposable {
  readonly #parts: TrafficParts;
  readonly #clock: Clock;
  readonly #log: Log;
  #running: Running | null = null;

  constructor(parts: TrafficParts, clock: Clock, log: Log) {
    this.#parts = parts;
    this.#clock = clock;
    this.#log = log;
  }

  /** In place of the one before. */
  async start(candidate: Candidate): Promise<void> {
    await this.stop();
    const ending = new AbortController();
    const tally = new TrafficTally();
    const work = this.#follow(candidate, tally, ending.signal).catch((error: unknown) => {
      if (!ending.signal.aborted) this.#log.fault('shadow policy', error);
    });
    this.#running = { name: candidate.name, since: timestamp(this.#clock), tally, ending, work };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    running?.ending.abort();
    await running?.work;
  }

  view(): PolicyShadow {
    const running = this.#running;
    if (running === null) return { candidate: null, since: null, report: null };
    return { candidate: running.name, since: running.since, report: running.tally.report(false) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #follow(candidate: Candidate, tally: TrafficTally, signal: AbortSignal): Promise<void> {
    const judge = new Rejudge(this.#parts, candidate.policy);
    const seen = new Set<string>();
    let second = 0;
    let taken = 0;
    for await (const { decision } of this.#parts.decisions.follow({}, null, signal)) {
      // Each comes once more with its outcome, or only with it.
      if (seen.has(decision.attempt)) continue;
      seen.add(decision.attempt);
      if (seen.size > limits.shadowSeenMax) forget(seen);
      const now = Math.floor(this.#clock.monotonic() / 1000);
      if (now !== second) {
        second = now;
        taken = 0;
      }
      // A sample: whoever floods the gateway does not make the control plane judge all of it twice.
      if (++taken > limits.shadowPerSecondMax) continue;
      const row = await this.#parts.decisions.get(decision.attempt);
      tally.add(row, recordedOf(row), await judge.decide(row));
    }
  }
}

interface Running {
  readonly name: string;
  readonly since: string;
  readonly tally: TrafficTally;
  readonly ending: AbortController;
  readonly work: Promise<void>;
}

/** The first that was added. */
function forget(seen: Set<string>): void {
  for (const oldest of seen) {
    seen.delete(oldest);
    return;
  }
}
