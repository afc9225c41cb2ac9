import { parseEntry } from '../entry.ts';
import { listWriters } from '../journal/segment.ts';
import { entryBytes } from './journals.ts';
import type { Findings } from './report.ts';

interface WriterMatch {
  readonly writer: string;
  readonly bytes: Iterator<Buffer, void, undefined>;
  /** Its next entry that is no leaf yet; null at the end. */
  next: Buffer | null;
  wseq: number;
  broken: boolean;
}

/** Walks the journals alongside the tree: every leaf must be the next entry of its writer, byte for byte. */
export class JournalMatch {
  readonly #directory: string;
  readonly #findings: Findings;
  readonly #writers = new Map<string, WriterMatch>();

  constructor(directory: string, findings: Findings) {
    this.#directory = directory;
    this.#findings = findings;
    for (const writer of listWriters(directory)) this.#open(writer);
  }

  add(index: number, bytes: Buffer): void {
    // An entry names its writer, so it can equal the next one of that writer only; no need to parse it.
    for (const writer of this.#writers.values()) {
      if (writer.next?.equals(bytes) !== true || writer.broken) continue;
      writer.next = writer.bytes.next().value ?? null;
      writer.wseq += 1;
      return;
    }
    this.#diagnose(index, bytes);
  }

  /** What the journals hold beyond the tree is not wrong, only not proved yet. */
  finish(): void {
    for (const writer of this.#writers.values()) {
      for (; writer.next !== null && !writer.broken; writer.next = writer.bytes.next().value ?? null) {
        this.#findings.count('waiting');
      }
    }
  }

  #open(writer: string): WriterMatch {
    const bytes = entryBytes(this.#directory, writer);
    const match = { writer, bytes, next: bytes.next().value ?? null, wseq: 0, broken: false };
    this.#writers.set(writer, match);
    return match;
  }

  #diagnose(index: number, bytes: Buffer): void {
    const where = `leaf ${index}`;
    const entry = parseEntry(bytes);
    if (entry === null) {
      this.#findings.fail({ code: 'entry', where, detail: 'the leaf is no entry', index });
      return;
    }
    const writer = this.#writers.get(entry.writer) ?? this.#open(entry.writer);
    if (writer.broken) return;
    // One loss shifts everything behind it, so each writer is named once.
    writer.broken = true;
    const at = { where, index, writer: entry.writer, wseq: entry.wseq };
    if (entry.wseq !== writer.wseq + 1) {
      this.#findings.fail({ code: 'order', detail: `wseq ${entry.wseq} where ${writer.wseq + 1} is due`, ...at });
    } else if (writer.next === null) {
      this.#findings.fail({ code: 'journal', detail: `the journal of ${entry.writer} ends before it`, ...at });
    } else {
      this.#findings.fail({
        code: 'journal',
        detail: `the journal of ${entry.writer} says something else there`,
        ...at,
      });
    }
  }
}
