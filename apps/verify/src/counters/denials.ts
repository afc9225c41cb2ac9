import {
  type BreakerLevel,
  countsAsDenial,
  type DenialBreaker,
  denialLevel,
  noteDenial,
  untripped,
} from '@cordon/policy';
import type { Entry } from '@cordon/protocol';
import { type CountedDecision, numberIn, textIn } from './entry.ts';

/** A gateway keeps as many ways of a session (its limit `breakersPerSessionMax`); of more, some are forgotten. */
const waysMax = 1024;
/** Denials that are recorded and not yet counted: of requests in flight, and of both directions of WebSockets among them. */
const uncountedMax = 128;

interface Denial {
  readonly way: string;
  readonly tick: number;
  readonly at: number;
}

interface Trip {
  readonly way: string;
  readonly level: number;
}

/** How far the denials of one way were folded. */
interface Folded {
  readonly from: number;
  readonly next: number;
  readonly breaker: DenialBreaker;
}

/**
 * The breaker of one session, counted again from its recorded denials. A denial is counted behind its record, so a
 * decision says how many it had counted; that it cannot say too few is seen to by the trips on record and by what others
 * of the session had counted before it.
 */
export class SessionDenials {
  readonly #denials: Denial[] = [];
  readonly #byWay = new Map<string, Denial[]>();
  readonly #folded = new Map<string, Folded>();
  readonly #trips = new Map<number, Trip>();
  readonly #due: { readonly noted: number; readonly way: string; readonly level: number }[] = [];
  /** Ways that were closed when this gateway began. */
  readonly #closed: ReadonlySet<string>;
  #resets: number[] = [];
  #countedAtLeast = { tick: -1, noted: 0, before: 0 };
  #tripped = 0;
  #lost = false;

  constructor(closed: ReadonlySet<string>) {
    this.#closed = closed;
  }

  /** It cannot be counted again: a denial of it says too little, or it has more ways than are kept. */
  get lost(): boolean {
    return this.#lost || this.#byWay.size > waysMax;
  }

  /** What is closed until a person resets it, for the gateway's next life. */
  closed(): ReadonlySet<string> {
    const own = [...this.#trips.values()].filter(({ level }) => level === 2).map(({ way }) => way);
    return new Set([...(this.#resets.length === 0 ? this.#closed : []), ...own]);
  }

  lose(): void {
    this.#lost = true;
  }

  addDenial(decision: CountedDecision): void {
    if (!countsAsDenial(decision)) return;
    const way = wayOf(decision);
    const denial = { way, tick: decision.counters.tick, at: this.#denials.length };
    this.#denials.push(denial);
    const own = this.#byWay.get(way);
    if (own === undefined) this.#byWay.set(way, [denial]);
    else own.push(denial);
    const [before, after] = [this.#stateAt(way, denial.at), this.#stateAt(way, denial.at + 1)];
    if (after.tripped !== null && after.tripped !== before.tripped)
      this.#due.push({ noted: denial.at + 1, way, level: after.tripped.level });
  }

  /** Null, or what is wrong. */
  addBreaker({ data }: Entry): string | null {
    const noted = numberIn(data['noted']);
    if (data['act'] === 'reset') {
      this.#resets.push(noted);
      this.#trips.clear();
      this.#due.splice(0, this.#due.length, ...this.#due.filter((due) => due.noted > noted));
      return null;
    }
    const way = `${textIn(data['action'])} ${textIn(data['resource'])}`;
    this.#trips.set(noted, { way, level: numberIn(data['level']) });
    this.#tripped = Math.max(this.#tripped, noted);
    return this.#denials[noted - 1]?.way === way || this.lost ? null : 'a trip that no denial on record explains';
  }

  /** Of an allow: null, or why the breaker would not have let it through. */
  check(decision: CountedDecision): string | null {
    const { counters, effect } = decision;
    const { noted, own, sink, tick } = counters;
    if (own === 2 || sink === 2 || ((own === 1 || sink === 1) && effect !== 'read'))
      return `allowed although its breaker says ${Math.max(own, sink)}`;
    if (this.lost) return null;
    const total = this.#denials.length;
    const least = Math.max(this.#countedBefore(tick), this.#tripped, total - uncountedMax);
    if (noted > total) return `had counted ${noted} denials, and ${total} are on record`;
    if (noted < least) return `had counted ${noted} denials, when its gateway had counted ${least}`;
    const missing = this.#due.find((due) => due.noted <= noted && !this.#isTripped(due));
    if (missing !== undefined) return `${missing.way} was denied again and again, and nothing says that it tripped`;
    const level = this.#levelAt(wayOf(decision), noted, tick);
    return own < level ? `its breaker said ${own}, and stands at ${level} when it is counted again` : null;
  }

  /** Of any decision: what its gateway had counted by then. */
  saw({ counters: { noted, tick } }: CountedDecision): void {
    const { tick: last, noted: most, before } = this.#countedAtLeast;
    if (tick > last) this.#countedAtLeast = { tick, noted: Math.max(most, noted), before: most };
    else if (tick === last) this.#countedAtLeast = { tick, noted: Math.max(most, noted), before };
  }

  /** Of a moment that is later than all others by the same clock. */
  #countedBefore(tick: number): number {
    const { tick: last, noted, before } = this.#countedAtLeast;
    return tick > last ? noted : tick === last ? before : 0;
  }

  #isTripped({ noted, way, level }: { readonly noted: number; readonly way: string; readonly level: number }): boolean {
    const trip = this.#trips.get(noted);
    return trip !== undefined && trip.way === way && trip.level === level;
  }

  #levelAt(way: string, noted: number, tick: number): BreakerLevel {
    return denialLevel(this.#stateAt(way, noted), tick);
  }

  /** Behind the first `noted` denials of the session. */
  #stateAt(way: string, noted: number): DenialBreaker {
    const from = this.#resets.findLast((reset) => reset <= noted) ?? 0;
    const known = this.#folded.get(way);
    const denials = this.#byWay.get(way) ?? [];
    let { next, breaker } =
      known !== undefined && known.from === from && (denials[known.next - 1]?.at ?? -1) < noted
        ? known
        : { next: denials.findIndex(({ at }) => at >= from), breaker: this.#begin(way) };
    if (next < 0) next = denials.length;
    for (let denial = denials[next]; denial !== undefined && denial.at < noted; denial = denials[next]) {
      breaker = noteDenial(breaker, denial.tick);
      next += 1;
    }
    this.#folded.set(way, { from, next, breaker });
    return breaker;
  }

  #begin(way: string): DenialBreaker {
    const stays = this.#resets.length === 0 && this.#closed.has(way);
    return stays ? { ...untripped, tripped: { level: 2, at: 0 } } : untripped;
  }
}

function wayOf({ action, resource }: { readonly action: string; readonly resource: string }): string {
  return `${action} ${resource}`;
}
