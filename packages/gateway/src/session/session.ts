import type { SessionPast } from '@cordon/ledger';
import { Breakers } from '../breaker/breakers.ts';
import type { Purse } from '../budget/purse.ts';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import type { Socket } from '../listen/wire.ts';
import { Attempts } from './attempts.ts';
import { Denials } from './denials.ts';
import { DeniedRate } from './denied-rate.ts';
import { HeldBytes } from './held.ts';
import { Rates } from './rates.ts';
import { Refusals } from './refusals.ts';

/** An answer on its way in. It outlives its decision, so it is asked about again and can be cut. */
interface OpenStream {
  /** Whether the policy of now still permits it. */
  readonly permitted: () => boolean;
  readonly controller: AbortController;
  /** Monotonic milliseconds of the last time somebody asked. */
  checkedAt: number;
}

/** What the gateway holds of one session. It lives in exactly one gateway, so nothing here needs a lock. */
export class Session {
  readonly id: string;
  readonly attempts: Attempts;
  readonly breakers: Breakers;
  /** What the journal holds of it from before this process. */
  readonly past: SessionPast;
  readonly purse: Purse;
  readonly denials = new Denials();
  readonly denied = new DeniedRate();
  readonly rates = new Rates();
  readonly held: HeldBytes;
  readonly refusals = new Refusals();
  readonly sockets = new Set<Socket>();
  /** Secret and destination pairs that were leased before: the first lease waits for the disk. */
  readonly leased = new Set<string>();
  /** Bytes of answers and of requests, of everything that is upstream's and not of ours; for those who watch. */
  readonly traffic = { in: 0, out: 0 };
  readonly #limits: GatewayLimits;
  readonly #streams = new Set<OpenStream>();
  readonly #idleWaiters: Array<() => void> = [];
  #inFlight = 0;
  #stopped = false;
  #closed = false;

  constructor(id: string, past: SessionPast, limits: GatewayLimits, held: HeldBytes, purse: Purse) {
    this.id = id;
    this.purse = purse;
    this.attempts = new Attempts(past);
    this.breakers = new Breakers(limits.breakersPerSessionMax, past.closed);
    this.past = past;
    this.#limits = limits;
    this.held = new HeldBytes(limits.bodyBytesHeldPerSessionMax, held);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Stopped by a person, or over. Read synchronously right before an effect. */
  get stopped(): boolean {
    return this.#stopped || this.#closed;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** false: too many at once; nothing was counted. */
  enter(): boolean {
    if (this.#inFlight >= this.#limits.requestsInFlightMax) return false;
    this.#inFlight += 1;
    return true;
  }

  leave(): void {
    this.#inFlight -= 1;
    if (this.#inFlight > 0) return;
    for (const tell of this.#idleWaiters.splice(0)) tell();
  }

  /** Resolves when no request is in flight any more. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Frozen: sockets and streams end at once, the listeners stay, because a freeze may be lifted. */
  setStopped(stopped: boolean): void {
    this.#stopped = stopped;
    if (stopped) this.#cutAll();
  }

  close(): void {
    this.#closed = true;
    this.#cutAll();
    this.purse.close();
  }

  /** Registers an answer; the signal aborts when it must end, also when `parent` does. */
  openStream(
    permitted: () => boolean,
    nowMs: number,
    parent: AbortSignal,
  ): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const open: OpenStream = { permitted, controller, checkedAt: nowMs };
    const gone = (): void => controller.abort(parent.reason);
    if (parent.aborted) gone();
    parent.addEventListener('abort', gone);
    this.#streams.add(open);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        parent.removeEventListener('abort', gone);
        this.#streams.delete(open);
      },
    };
  }

  /** Called when the policy changed, and once a minute: what is no longer permitted is cut. */
  reauthorize(nowMs: number, olderThanMs: number): void {
    for (const stream of [...this.#streams]) {
      if (nowMs - stream.checkedAt < olderThanMs) continue;
      stream.checkedAt = nowMs;
      if (!stream.permitted()) stream.controller.abort(cut('no-longer-permitted'));
    }
  }

  /** Bytes of which nobody knew before how many they would be. */
  passed(way: 'in' | 'out', bytes: number): void {
    this.traffic[way] += bytes;
    this.purse.passed(bytes);
  }

  /** A budget is used up: what is under way ends, what comes next is decided. */
  cutStreams(why: CutReason): void {
    for (const { controller } of [...this.#streams]) controller.abort(cut(why));
  }

  #cutAll(): void {
    this.cutStreams('session-stopped');
    for (const socket of [...this.sockets]) socket.destroy();
  }
}

type CutReason = 'no-longer-permitted' | 'session-stopped' | 'budget-used-up';

function cut(why: CutReason): GatewayError {
  return new GatewayError(why, 'the answer was cut');
}
