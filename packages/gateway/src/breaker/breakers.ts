import { type BreakerLevel, type DenialBreaker, denialLevel, noteDenial, untripped } from '@cordon/policy';

interface Way {
  readonly action: string;
  readonly resource: string;
}

export interface Tripped extends Way {
  readonly level: 1 | 2;
}

/** The denials of one session, each action at each resource by itself. */
export class Breakers {
  readonly #max: number;
  /** Those asked for longest ago first. */
  readonly #breakers = new Map<string, DenialBreaker>();
  #noted = 0;

  /** `closed`: what the ledger says was closed until a person resets it. */
  constructor(max: number, closed: readonly Way[]) {
    this.#max = max;
    for (const way of closed) this.#breakers.set(keyOf(way), { ...untripped, tripped: { level: 2, at: 0 } });
  }

  /** Denials that were counted, of all ways: with it, whoever knows the denials knows what a reader saw. */
  get noted(): number {
    return this.#noted;
  }

  level(way: Way, now: number): BreakerLevel {
    const breaker = this.#breakers.get(keyOf(way));
    if (breaker !== undefined) return denialLevel(breaker, now);
    // INVARIANT: a breaker that is tripped is never forgotten for another one.
    return this.#hasRoom(now) ? 0 : 2;
  }

  /** What this denial tripped, if it did. */
  denied(way: Way, now: number): Tripped | null {
    this.#noted += 1;
    const key = keyOf(way);
    const before = this.#breakers.get(key) ?? untripped;
    if (!this.#breakers.has(key) && !this.#hasRoom(now)) return null;
    const after = noteDenial(before, now);
    this.#breakers.delete(key);
    this.#breakers.set(key, after);
    return after.tripped === null || after.tripped === before.tripped ? null : { ...way, level: after.tripped.level };
  }

  open(now: number): Tripped[] {
    return [...this.#breakers].flatMap(([key, breaker]) => {
      const level = denialLevel(breaker, now);
      return level === 0 ? [] : [{ ...wayOf(key), level }];
    });
  }

  reset(now: number): number {
    const open = this.open(now).length;
    this.#breakers.clear();
    return open;
  }

  #hasRoom(now: number): boolean {
    if (this.#breakers.size < this.#max) return true;
    for (const [key, breaker] of this.#breakers) {
      if (denialLevel(breaker, now) > 0) continue;
      this.#breakers.delete(key);
      return true;
    }
    return false;
  }
}

function keyOf({ action, resource }: Way): string {
  return `${action} ${resource}`;
}

function wayOf(key: string): Way {
  const at = key.indexOf(' ');
  return { action: key.slice(0, at), resource: key.slice(at + 1) };
}
