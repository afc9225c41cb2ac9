import { Transform, type TransformCallback } from 'node:stream';
import { secretError } from './error.ts';
import { type FormPattern, formsOf, type SecretForm } from './form.ts';
import type { LeaseSet } from './lease.ts';
import { placeholderOf } from './placeholder.ts';

export interface ScrubHit {
  readonly secret: string;
  readonly form: SecretForm;
}

interface Pattern extends FormPattern {
  readonly secret: string;
}

interface Match {
  readonly at: number;
  readonly pattern: Pattern;
}

/**
 * Puts placeholders back where an answer holds an injected value. The result does not depend on how the answer was cut
 * into chunks: what could still become a match is held back, and nothing else is.
 * An answer that holds a value has another length afterwards, so whatever is scrubbed is framed anew.
 */
export class Scrubber implements Disposable {
  readonly #patterns: readonly Pattern[];
  readonly #hits: ScrubHit[] = [];
  #held: Buffer = Buffer.alloc(0);
  #disposed = false;

  constructor(leases: LeaseSet) {
    this.#patterns = leases.names
      .flatMap((secret) => leases.value(secret).reveal((value) => formsOf(value).map((form) => ({ ...form, secret }))))
      .sort((a, b) => b.bytes.length - a.bytes.length);
  }

  /** What was found so far, each time it was found. */
  get hits(): readonly ScrubHit[] {
    return this.#hits;
  }

  /** A header value or another short text that is whole. */
  text(value: string): string {
    const bytes = Buffer.from(value, 'latin1');
    const whole = this.#replace(bytes, bytes.length);
    return Buffer.concat(whole.parts).toString('latin1');
  }

  /** The next part of the body; returns what can go on. @throws CordonError `secret-disposed` */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held.fill(0);
    const { parts, rest } = this.#replace(bytes, null);
    this.#held = Buffer.from(bytes.subarray(rest));
    return Buffer.concat(parts);
  }

  /** The rest. The scrubber can start on another body afterwards. */
  end(): Buffer {
    const { parts } = this.#replace(this.#held, this.#held.length);
    const out = Buffer.concat(parts);
    this.#held = Buffer.alloc(0);
    return out;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const pattern of this.#patterns) pattern.bytes.fill(0);
    this.#held.fill(0);
  }

  /** Replaces from the left, the longest first; `whole`: nothing follows, so nothing is held back. */
  #replace(bytes: Buffer, whole: number | null): { parts: Buffer[]; rest: number } {
    // Without its patterns it would find nothing and let everything through.
    if (this.#disposed) throw secretError('secret-disposed', 'the values to search for were let go');
    const parts: Buffer[] = [];
    const finder = new Finder(this.#patterns, bytes);
    let at = 0;
    for (;;) {
      const match = finder.first(at);
      const open = whole ?? finder.firstOpen(at, match?.at ?? bytes.length);
      if (match === null || (whole === null && open <= match.at)) {
        parts.push(bytes.subarray(at, open));
        return { parts, rest: open };
      }
      parts.push(bytes.subarray(at, match.at), Buffer.from(placeholderOf(match.pattern.secret), 'latin1'));
      this.#hits.push({ secret: match.pattern.secret, form: match.pattern.form });
      at = match.at + match.pattern.bytes.length;
    }
  }
}

/** Searches one buffer; remembers where each pattern comes next, so that the whole buffer is read once per pattern. */
class Finder {
  readonly #patterns: readonly Pattern[];
  readonly #bytes: Buffer;
  readonly #next: number[];

  constructor(patterns: readonly Pattern[], bytes: Buffer) {
    this.#patterns = patterns;
    this.#bytes = bytes;
    this.#next = patterns.map(() => -2);
  }

  /** The leftmost match at or after `from`; of several at one place the longest (patterns are sorted so). */
  first(from: number): Match | null {
    let best: Match | null = null;
    for (const [index, pattern] of this.#patterns.entries()) {
      let next = this.#next[index] ?? -1;
      if (next !== -1 && next < from) {
        next = this.#bytes.indexOf(pattern.bytes, from);
        this.#next[index] = next;
      }
      if (next >= 0 && (best === null || next < best.at)) best = { at: next, pattern };
    }
    return best;
  }

  /** Where the first tail begins that could grow into a match, if it begins at or before `to`; else the end. */
  firstOpen(from: number, to: number): number {
    let open = this.#bytes.length;
    for (const { bytes: pattern } of this.#patterns) {
      const first = pattern[0];
      if (first === undefined) continue;
      let at = Math.max(from, this.#bytes.length - pattern.length + 1);
      while (at < open && at <= to) {
        at = this.#bytes.indexOf(first, at);
        if (at < 0 || at >= open || at > to) break;
        const length = this.#bytes.length - at;
        if (this.#bytes.compare(pattern, 0, length, at) === 0) {
          open = at;
          break;
        }
        at += 1;
      }
    }
    return open;
  }
}

/** The scrubber as a stream, for the body of an answer. Decode it first. */
export function createScrubStream(scrubber: Scrubber): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
      attempt(() => scrubber.push(chunk), done);
    },
    flush(done: TransformCallback): void {
      attempt(() => scrubber.end(), done);
    },
  });
}

function attempt(work: () => Buffer, done: TransformCallback): void {
  let out: Buffer;
  try {
    out = work();
  } catch (error: unknown) {
    done(error as Error);
    return;
  }
  done(null, out);
}
