import type { Entry } from '@cordon/protocol';
import { textOf } from '../../entry.ts';
import type { Frame } from '../frames.ts';
import type { Findings } from '../report.ts';
import { isNoBetter, type Levels, type RecordedLabel, readLabel, readStart } from './label.ts';

/** What an order says of a session. */
export interface Order {
  /** Undefined: it is of before starts were recorded in clear. */
  readonly start: Levels | undefined;
  /** Null: the session only proposes, so nobody reads what it writes. */
  readonly writes: string | null;
}

interface Folder {
  readonly label: RecordedLabel;
  readonly before: Folder | null;
  readonly wseq: number;
  /** How often its writer had been opened by then. */
  readonly life: number;
}

/**
 * A label is recorded and then stored, one after the other, and what lies around a folder is read in between. So a
 * session's order can miss the one label that was appended right before it, and no other.
 */
const adjacentEntries = 3;

/** One control plane's journal: what became of folders, and what sessions were ordered to start with. */
export class Folders {
  readonly orders = new Map<string, Order>();
  readonly #findings: Findings;
  readonly #folders = new Map<string, Folder>();
  #life = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  add(frame: Frame): void {
    const { entry } = frame;
    if (entry.type === 'recovery' && entry.data['part'] === 1) this.#life += 1;
    else if (entry.type === 'session.start') this.#addOrder(frame);
    else if (entry.type === 'label' && entry.data['of'] === 'folder') this.#addLabel(frame);
  }

  levels(folder: string): Levels | null {
    return this.#folders.get(folder)?.label ?? null;
  }

  #addOrder(frame: Frame): void {
    const { entry } = frame;
    if (textOf(entry, 'phase') !== 'order' || entry.session === null) return;
    const workspace = textOf(entry, 'workspace');
    const start = readStart(entry.data['start']);
    this.orders.set(entry.session, { start, writes: textOf(entry, 'mode') === 'direct' ? workspace : null });
    this.#findings.count('sessions');
    if (start === undefined || workspace === null) return;
    const shown = [workspace, ...pathsOf(entry)];
    for (const [path, folder] of this.#folders) {
      if (!shown.some((each) => overlaps(each, path))) continue;
      const raced = entry.wseq - folder.wseq <= adjacentEntries;
      const due = raced ? folder.before : folder;
      if (due === null || isNoBetter(start, due.label)) continue;
      this.#findings.fail(frame.failure('folder', `starts better than what is recorded of ${path}`));
    }
  }

  #addLabel(frame: Frame): void {
    const { entry } = frame;
    const path = textOf(entry, 'folder');
    const label = readLabel(entry.data);
    if (path === null || label === null) {
      this.#findings.fail(frame.failure('label', 'no label, or not the one that its digest says'));
      return;
    }
    this.#findings.count('folderLabels');
    if (!['start', 'gateway', 'apply'].includes(String(entry.data['cause'])))
      this.#findings.fail(frame.failure('cause', 'a folder has no such reason to fall'));
    const known = this.#folders.get(path) ?? null;
    const before = this.#beforeOf(known, entry);
    if (before === undefined)
      this.#findings.fail(frame.failure('before', `does not name the label of ${path} before it`));
    if (before != null && !isNoBetter(label, before.label))
      this.#findings.fail(frame.failure('rise', `the label of ${path} is better than the one before`));
    this.#folders.set(path, { label, before: known, wseq: entry.wseq, life: this.#life });
  }

  /**
   * The label that it names; null where it is the first. A crash between a label's record and its storing costs that one:
   * the next one behind the recovery stands on the one before. Undefined: it names neither.
   */
  #beforeOf(known: Folder | null, { data }: Entry): Folder | null | undefined {
    const lost = known !== null && known.life < this.#life ? [known.before] : [];
    return [known, ...lost].find((each) => (each?.label.digest ?? null) === data['before']);
  }
}

function pathsOf({ data }: Entry): readonly string[] {
  const paths = data['readOnly'];
  return Array.isArray(paths) ? (paths as readonly unknown[]).map(String) : [];
}

/** One is the other, or lies in it. */
function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}
