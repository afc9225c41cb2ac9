import type { RecordValue } from '@cordon/protocol';
import { memberOf } from './member.ts';

/** Decisions of one turn of the event loop can stand in the journal the other way round; more than these never do. */
const turnEntries = 64;

/** What one session's leak meter had counted, from what each allowed decision says that it would add. */
export class LeakTotals {
  /** Of the last ones, when they were made and what the meter must have held behind each; then of all before them. */
  #recent: { readonly tick: number; readonly total: number }[] = [];
  #floor = 0;

  /** A gateway that begins anew counts from nothing. */
  begin(): void {
    this.#recent = [];
    this.#floor = 0;
  }

  /** Null, or what is wrong with it. A meter that holds more counted a request whose record failed. */
  add(data: Readonly<Record<string, RecordValue>>): string | null {
    const [used, bytes] = ['leakUsed', 'leakBytes'].map((name) => memberOf(data['labels'], name));
    const tick = memberOf(data['counters'], 'tick');
    if (typeof used !== 'number' || typeof bytes !== 'number' || typeof tick !== 'number') return null;
    const due = Math.max(this.#floor, ...this.#recent.filter((each) => each.tick < tick).map(({ total }) => total));
    this.#recent.push({ tick, total: used + bytes });
    if (this.#recent.length > turnEntries) this.#floor = Math.max(this.#floor, this.#recent.shift()?.total ?? 0);
    return used < due ? `the leak meter stood at ${due}, and is said to have held ${used}` : null;
  }
}
