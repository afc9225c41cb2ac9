import type { Entry } from '@cordon/protocol';
import { textOf } from '../entry.ts';
import { noLeaf } from '../leaf.ts';
import { failureAt, type Place } from './place.ts';
import type { Findings } from './report.ts';

type AttemptState = 'allowed' | 'started';

interface Range {
  readonly writer: string;
  readonly first: number;
  last: number;
}

/**
 * Whether nothing is missing: numbers without gaps, each entry chained to the one before, each effect with its
 * decision before it and its outcome, or its doubt, after it.
 */
export class Completeness {
  readonly #findings: Findings;
  readonly #sessions = new Map<string, Range[]>();
  #writer = '';
  #wseq = 0;
  #leaf = noLeaf;
  #at = '';
  #attempts = new Map<string, AttemptState>();
  #started = new Set<string>();
  /** The recovery that was just read, and whether its list of doubts is whole. */
  #recovered: { readonly place: Place; readonly whole: boolean } | null = null;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  begin(writer: string): void {
    this.#writer = writer;
    this.#wseq = 0;
    this.#leaf = noLeaf;
    this.#at = '';
    this.#attempts = new Map();
    this.#started = new Set();
    this.#recovered = null;
  }

  beginSegment(place: Place): void {
    const { first } = place.segment;
    if (first === this.#wseq + 1) return;
    this.#findings.fail(failureAt(place, 'wseq', `the segment starts at ${first}, ${this.#wseq + 1} is due`));
    // From here on a later segment is judged by itself, so that one loss is named once.
    this.#wseq = first - 1;
    this.#leaf = '';
  }

  add(place: Place, entry: Entry, leaf: string): void {
    this.#findings.count('entries');
    const fail = (code: string, detail: string): void => this.#findings.fail(failureAt(place, code, detail, entry));
    if (entry.wseq !== this.#wseq + 1) fail('wseq', `wseq ${entry.wseq} where ${this.#wseq + 1} is due`);
    if (this.#leaf !== '' && entry.prev !== this.#leaf) fail('prev', `does not name the entry before, ${this.#leaf}`);
    // Clocks are set back by people and by time servers; the order of entries is wseq's.
    if (entry.at < this.#at) this.#findings.count('clockSetBack');
    this.#at = entry.at;
    this.#addSeq(entry, fail);
    this.#addAttempt(place, entry, fail);
    this.#wseq = entry.wseq;
    this.#leaf = leaf;
  }

  end(): void {
    this.#checkRecovered();
    this.#findings.count('open', this.#started.size);
    if (this.#started.size > 0) {
      const [first] = this.#started;
      this.#findings.note(`${this.#writer}: ${this.#started.size} started and without outcome yet, first ${first}`);
    }
  }

  finish(): void {
    this.#findings.count('sessions', this.#sessions.size);
    for (const [session, ranges] of this.#sessions) {
      for (const range of ranges) {
        const continued = range.first === 1 || ranges.some((other) => other.last === range.first - 1);
        if (continued) continue;
        this.#findings.fail({
          code: 'seq',
          where: `session ${session}`,
          detail: `${range.writer} starts at seq ${range.first}, and nobody wrote ${range.first - 1}`,
          writer: range.writer,
          session,
        });
      }
    }
  }

  #addSeq(entry: Entry, fail: (code: string, detail: string) => void): void {
    if (entry.session === null || entry.seq === null) return;
    const ranges = this.#sessions.get(entry.session) ?? [];
    this.#sessions.set(entry.session, ranges);
    const own = ranges.find((range) => range.writer === this.#writer);
    if (own === undefined) {
      ranges.push({ writer: this.#writer, first: entry.seq, last: entry.seq });
      return;
    }
    if (entry.seq !== own.last + 1) fail('seq', `seq ${entry.seq} where ${own.last + 1} is due`);
    own.last = entry.seq;
  }

  #addAttempt(place: Place, entry: Entry, fail: (code: string, detail: string) => void): void {
    if (entry.type === 'recovery') {
      this.#addRecovery(place, entry, fail);
      return;
    }
    this.#checkRecovered();
    const attempt = textOf(entry, 'attempt');
    if (attempt === null) {
      if (entry.type === 'start' || entry.type === 'outcome') fail('attempt', `a ${entry.type} that names no attempt`);
      return;
    }
    const state = this.#attempts.get(attempt);
    if (entry.type === 'decision') {
      this.#findings.count('decisions');
      if (textOf(entry, 'outcome') === 'allow') this.#attempts.set(attempt, 'allowed');
      else this.#attempts.delete(attempt);
    } else if (entry.type === 'start') {
      this.#findings.count('starts');
      if (state !== 'allowed') fail('start', `${attempt} started without an allow decision before it`);
      this.#attempts.set(attempt, 'started');
      this.#started.add(attempt);
    } else if (entry.type === 'outcome') {
      this.#findings.count('outcomes');
      if (state !== 'started') fail('outcome', `${attempt} has an outcome but was not started`);
      this.#attempts.delete(attempt);
      this.#started.delete(attempt);
    }
  }

  #addRecovery(place: Place, entry: Entry, fail: (code: string, detail: string) => void): void {
    this.#findings.count('recoveries');
    const { inDoubt, lastWseq, lastLeaf, part, of } = entry.data;
    // A crash between two parts of a list: the next recovery names what is left.
    if (this.#recovered?.whole === true) this.#checkRecovered();
    if (part === 1) {
      if (lastWseq !== entry.wseq - 1 || lastLeaf !== entry.prev) {
        fail('recovery', `recovered at wseq ${String(lastWseq)}, but stands at ${entry.wseq}`);
      }
    }
    for (const attempt of Array.isArray(inDoubt) ? (inDoubt as readonly unknown[]).map(String) : []) {
      this.#findings.count('inDoubt');
      if (!this.#started.delete(attempt)) fail('recovery', `${attempt} is in doubt but was not started`);
      this.#attempts.delete(attempt);
    }
    this.#recovered = { place, whole: part === of };
  }

  /** Behind a recovery no earlier start may be left: it had an outcome, or it is in doubt. */
  #checkRecovered(): void {
    const place = this.#recovered?.place;
    this.#recovered = null;
    if (place === undefined) return;
    for (const attempt of this.#started) {
      this.#findings.fail(failureAt(place, 'start', `${attempt} has no outcome and the recovery does not name it`));
    }
    this.#started.clear();
  }
}
