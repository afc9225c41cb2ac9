import { type Clock, CordonError, type Random } from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import type { SupervisorErrorCode } from './error.ts';
import type { NameLock, NameLocks } from './name-lock.ts';

/** Uids that are locked together: few descriptors, and room for several supervisors. */
const groupSize = 256;

/**
 * The reserved user ids, one per living session. INVARIANT: a uid is given out only when no process, file handle or
 * teardown of an earlier session can still carry it: not within a minute of its end, and never again once dirty. Other
 * supervisors of this host share the range, so each holds the groups that its uids are in.
 */
export class UidPool {
  readonly #range: { readonly min: number; readonly count: number };
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #taken = new Set<number>();
  /** When each uid may be used again. */
  readonly #resting = new Map<number, number>();
  readonly #locks: Pick<NameLocks, 'take'>;
  readonly #held = new Map<number, NameLock>();
  #next: number;

  constructor(
    range: { readonly min: number; readonly count: number },
    clock: Pick<Clock, 'monotonic'>,
    random: Random,
    locks: Pick<NameLocks, 'take'>,
  ) {
    this.#range = range;
    this.#clock = clock;
    this.#locks = locks;
    // Starting anywhere: two supervisors of one host seldom meet.
    const [a = 0, b = 0, c = 0] = random.bytes(3);
    this.#next = ((a << 16) | (b << 8) | c) % range.count;
  }

  /** @throws CordonError `uids-exhausted` */
  take(): number {
    const now = this.#clock.monotonic();
    const foreign = new Set<number>();
    for (let tried = 0; tried < this.#range.count; tried++) {
      const uid = this.#range.min + this.#next;
      this.#next = (this.#next + 1) % this.#range.count;
      if (this.#taken.has(uid) || (this.#resting.get(uid) ?? 0) > now) continue;
      if (!this.#hold(uid, now, foreign)) continue;
      this.#resting.delete(uid);
      this.#taken.add(uid);
      return uid;
    }
    throw new CordonError<SupervisorErrorCode>('uids-exhausted', 'every session uid is in use or resting', {
      expose: true,
    });
  }

  release(uid: number): void {
    if (this.#taken.delete(uid)) this.#resting.set(uid, this.#clock.monotonic() + supervisorLimits.uidRestMs);
  }

  /** Never given out again by this supervisor. */
  condemn(uid: number): void {
    this.#taken.add(uid);
  }

  /** `foreign`: the groups of others that this search has met. */
  #hold(uid: number, now: number, foreign: Set<number>): boolean {
    const group = groupOf(uid);
    if (this.#held.has(group)) return true;
    if (foreign.has(group)) return false;
    this.#letGo(now);
    const lock = this.#locks.take(`uids ${group}`);
    if (lock === null) foreign.add(group);
    else this.#held.set(group, lock);
    return lock !== null;
  }

  /** Groups in which no uid is taken or resting any more. */
  #letGo(now: number): void {
    const resting = [...this.#resting].filter(([, until]) => until > now).map(([uid]) => uid);
    const needed = new Set([...this.#taken, ...resting].map(groupOf));
    for (const [group, lock] of this.#held) {
      if (needed.has(group)) continue;
      lock.release();
      this.#held.delete(group);
    }
  }
}

function groupOf(uid: number): number {
  return Math.floor(uid / groupSize);
}
