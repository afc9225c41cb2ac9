import {
  type CheckedEndorsementReceipt,
  type CheckedReceipt,
  checkEndorsementReceipt,
  checkReceipt,
  type PolicySnapshot,
} from '@cordon/policy';
import type {
  Clock,
  EndorsementTaken,
  EndorsementUse,
  HoldFloor,
  HoldNews,
  HoldOrder,
  HoldTaken,
  HoldUse,
  Intent,
  PolicyName,
  Rung,
} from '@cordon/protocol';
import type { PinnedKey } from '@cordon/protocol/dsse';
import type { GatewayLimits } from '../limits.ts';

/** The control plane's side, over the private channel. */
export interface HoldPort {
  open(order: HoldOrder): Promise<HoldNews>;
  use(use: HoldUse): Promise<HoldTaken>;
  endorse(use: EndorsementUse): Promise<EndorsementTaken | null>;
}

export interface DeskOptions {
  readonly port: HoldPort;
  readonly boot: string;
  /** By which receipts are known; null: none is there, so none counts. */
  readonly key: PinnedKey | null;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly limits: GatewayLimits;
}

/** One attempt of now, under the policy of now. */
export interface UseQuestion {
  readonly attempt: string;
  readonly intent: Intent;
  readonly intentDigest: string;
  readonly flow: HoldFloor;
  readonly snapshot: PolicySnapshot;
}

/** What nobody has named, and what policy asks for because of it. */
export interface Wanted {
  readonly unnamed: readonly string[];
  readonly rung: Rung;
  readonly groups: readonly string[];
}

/**
 * Where requests wait for people. Only so many do, of one session and of all, so that they cannot take the place of
 * those that need nobody; the rest is told at once that it is held, and comes again.
 */
export class HoldDesk {
  readonly #options: DeskOptions;
  readonly #waiting = new Map<string, Set<HoldWatch>>();
  readonly #perSession = new Map<string, number>();
  /** Sessions that had no room for another question, and until when that is believed without asking. */
  readonly #full = new Map<string, number>();
  #count = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Null: too many wait already. */
  enter(session: string, intent: string): HoldWatch | null {
    const { limits, clock } = this.#options;
    const own = this.#perSession.get(session) ?? 0;
    if (own >= limits.holdsWaitingPerSessionMax || this.#count >= limits.holdsWaitingMax) return null;
    if ((this.#full.get(session) ?? Number.NEGATIVE_INFINITY) > clock.monotonic()) return null;
    this.#perSession.set(session, own + 1);
    this.#count += 1;
    const key = keyOf(session, intent);
    const watches = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, watches);
    const watch = new HoldWatch(() => {
      this.#count -= 1;
      const left = (this.#perSession.get(session) ?? 1) - 1;
      if (left === 0) this.#perSession.delete(session);
      else this.#perSession.set(session, left);
      watches.delete(watch);
      if (watches.size === 0 && this.#waiting.get(key) === watches) this.#waiting.delete(key);
    });
    watches.add(watch);
    return watch;
  }

  /** The control plane had no room for another question of this session: not asked again for a moment. */
  full(session: string): void {
    const now = this.#options.clock.monotonic();
    for (const [other, until] of this.#full) if (until <= now) this.#full.delete(other);
    this.#full.set(session, now + this.#options.limits.holdFullMs);
  }

  open(order: HoldOrder): Promise<HoldNews> {
    return this.#options.port.open(order);
  }

  news(news: HoldNews): null {
    for (const watch of this.#waiting.get(keyOf(news.session, news.intent)) ?? []) watch.tell(news);
    return null;
  }

  /** One use for this attempt. @throws CordonError of the control plane, or `channel-*` */
  take(hold: string, { attempt, intent, intentDigest, flow, snapshot }: UseQuestion): Promise<HoldTaken> {
    const policy = policyName(snapshot);
    return this.#options.port.use({ hold, session: intent.session, attempt, intent: intentDigest, policy, flow });
  }

  /** One use of what people have named for a time; null: they have not. @throws CordonError of the control plane, or `channel-*` */
  takeEndorsed({ attempt, intent, flow, snapshot }: UseQuestion, { unnamed, rung, groups }: Wanted) {
    const policy = policyName(snapshot);
    return this.#options.port.endorse({
      session: intent.session,
      attempt,
      intent,
      unnamed,
      policy,
      flow,
      rung,
      groups,
    });
  }

  checkEndorsed(
    taken: EndorsementTaken,
    question: UseQuestion,
    { unnamed, rung, groups }: Wanted,
  ): CheckedEndorsementReceipt {
    const { boot: gateway, key, clock } = this.#options;
    const { attempt, intent, flow, snapshot } = question;
    const now = new Date(clock.now()).toISOString();
    const policy = policyName(snapshot);
    return checkEndorsementReceipt({ taken, key, gateway, attempt, intent, unnamed, flow, rung, groups, policy, now });
  }

  /** What was taken, checked from the signatures up against how things are now. */
  check(taken: HoldTaken, { attempt, intent, flow, snapshot }: UseQuestion): CheckedReceipt {
    const { boot: gateway, key, clock } = this.#options;
    const now = new Date(clock.now()).toISOString();
    return checkReceipt({ taken, key, gateway, attempt, intent, flow, policy: policyName(snapshot), now });
  }
}

/** One request that waits; it hears what becomes of its hold from before the hold is asked for. */
export class HoldWatch implements Disposable {
  readonly #leave: () => void;
  #last: HoldNews | null = null;
  #wake: (() => void) | null = null;
  #left = false;

  constructor(leave: () => void) {
    this.#leave = leave;
  }

  tell(news: HoldNews): void {
    this.#last = news;
    this.#wake?.();
  }

  /** What became of it, or null when nothing did within `ms` or the agent has gone. */
  async settled(hold: string, ms: number, signal: AbortSignal): Promise<HoldNews | null> {
    const known = (): HoldNews | null => (this.#last?.hold === hold && this.#last.state !== 'open' ? this.#last : null);
    if (known() === null && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          this.#wake = null;
          resolve();
        };
        const timer = setTimeout(done, ms);
        signal.addEventListener('abort', done);
        this.#wake = () => {
          if (known() !== null) done();
        };
      });
    }
    return known();
  }

  [Symbol.dispose](): void {
    if (this.#left) return;
    this.#left = true;
    this.#leave();
  }
}

export function policyName({ generation, revision, digest, engine }: PolicySnapshot): PolicyName {
  return { generation, revision, digest, engine: engine.digest };
}

function keyOf(session: string, intent: string): string {
  return `${session} ${intent}`;
}
