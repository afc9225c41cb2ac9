import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { frameHeaderBytes, readFrame } from '../../packages/ledger/src/frame.ts';
import type { EntryDraft } from '../../packages/ledger/src/journal/journal.ts';
import { openJournal } from '../../packages/ledger/src/journal/writer.ts';
import { verifyLedger } from '../../packages/ledger/src/verify/verify.ts';
import { InputChoices } from '../engine/choices.ts';
import { type Feedback, must, type Target } from '../engine/target.ts';

/** One journal as it was left, and what a reader of it must find. */
interface Original {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly entries: readonly Buffer[];
  /** Offset behind each entry's frame, and behind its body, in the files of its segment. */
  readonly ends: ReadonlyArray<{ readonly segment: string; readonly journal: number; readonly bodies: number }>;
  readonly past: readonly { readonly seq: number; readonly decisions: number }[];
}

let root: string;
const originals: Original[] = [];

export const target: Target = {
  name: 'ledger-recovery',
  about:
    'a journal in several files whose bytes were cut, turned, zeroed, moved, repeated or taken away, then opened again',
  oracle:
    'recovery keeps an unbroken beginning of what was written, byte for byte, with every entry before the first damage, or refuses and changes nothing; it invents nothing; what the verifier passes is such a beginning too',
  lengthMax: 64,
  shortRuns: 500,
  seeds: () => [
    Buffer.from([0]),
    Buffer.from([0, 0, 0, 0, 90]),
    Buffer.from([1, 0, 1, 1, 44, 3]),
    Buffer.from([2, 2, 2, 0, 200, 0, 64, 1, 1, 0, 9, 4]),
    Buffer.from([2, 4, 5, 0, 0, 0, 10]),
    Buffer.from([2, 5, 1, 0, 30, 2]),
  ],
  async open() {
    // Memory is enough: what a disk keeps of a write is what the damage stands for.
    root = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cordon-fuzz-ledger-'));
    originals.push(await write('os', 1 << 20), await write('disk', 1 << 20), await write('mixed', 1500));
  },
  async close() {
    rmSync(root, { recursive: true, force: true });
  },
  async run(input, feedback) {
    const choices = new InputChoices(input);
    const original = originals[choices.below(originals.length)];
    must(original !== undefined, 'no journal');
    const damaged = damage(original.files, choices);
    const folder = path.join(root, 'run');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(path.join(folder, 'gw'), { recursive: true });
    for (const [name, bytes] of damaged) writeFileSync(path.join(folder, 'gw', name), bytes);
    const first = firstDamaged(original, damaged);
    const kept = await reopen(folder, original, first, damaged, feedback);
    checkVerifier(folder, original, feedback);
    if (kept !== null) feedback.note(`kept ${kept === original.entries.length ? 'all' : 'some'}`);
  },
};

async function write(kind: 'os' | 'disk' | 'mixed', segmentBytes: number): Promise<Original> {
  const folder = path.join(root, kind);
  let now = Date.UTC(2026, 0, 1);
  const journal = await openJournal({
    directory: folder,
    tenant: 'local',
    writer: 'gw',
    clock: { now: () => now++ },
    segmentBytes,
  });
  const past: { seq: number; decisions: number }[] = [{ seq: 0, decisions: 0 }];
  for (let i = 0; i < 4; i++) {
    for (const draft of action(`att_${i}`)) {
      await journal.append(draft, kind === 'os' || (kind === 'mixed' && i % 2 === 0) ? 'os' : 'disk');
      past.push(journal.past('ses_a'));
    }
  }
  await journal.close();
  const files = filesIn(folder);
  return { files, past, ...entriesOf(files) };
}

function action(attempt: string): EntryDraft[] {
  const session = 'ses_a';
  return [
    { session, type: 'decision', data: { attempt, outcome: 'allow' }, body: `{"attempt":"${attempt}"}` },
    { session, type: 'start', data: { attempt } },
    { session, type: 'outcome', data: { attempt, status: 200 } },
  ];
}

/** Reads what lies in the files by the format alone, without any of the code that recovers. */
function entriesOf(files: ReadonlyMap<string, Buffer>): Pick<Original, 'entries' | 'ends'> {
  const entries: Buffer[] = [];
  const ends: { segment: string; journal: number; bodies: number }[] = [];
  for (const name of [...files.keys()].filter((one) => one.endsWith('.journal')).sort()) {
    const bytes = files.get(name) ?? Buffer.alloc(0);
    let bodies = 0;
    for (let frame = readFrame(bytes, 0); frame.kind === 'frame'; frame = readFrame(bytes, frame.next)) {
      const { seal } = JSON.parse(frame.entry.toString()) as { seal: { bytes: number } | null };
      if (seal !== null) bodies += 36 + seal.bytes;
      entries.push(Buffer.from(frame.entry));
      ends.push({ segment: name.slice(0, 16), journal: frame.next, bodies });
    }
  }
  return { entries, ends };
}

function damage(files: ReadonlyMap<string, Buffer>, choices: InputChoices): Map<string, Buffer> {
  const damaged = new Map(files);
  const names = [...files.keys()].sort();
  for (let times = choices.below(4); times >= 0; times--) {
    const name = names[choices.below(names.length)] ?? '';
    const bytes = Buffer.from(damaged.get(name) ?? Buffer.alloc(0));
    const how = choices.below(8);
    const at = choices.u16() % (bytes.length + 1);
    const length = choices.u8();
    if (choices.left < 0 || how === 7) continue;
    const part = bytes.subarray(at, at + length);
    const rest = bytes.subarray(at + part.length);
    if (how === 0) damaged.set(name, bytes.subarray(0, at));
    else if (how === 1) damaged.set(name, turned(bytes, at, length));
    else if (how === 2) damaged.set(name, Buffer.concat([bytes.subarray(0, at), Buffer.alloc(part.length), rest]));
    else if (how === 3) damaged.set(name, Buffer.concat([bytes.subarray(0, at), rest]));
    else if (how === 4) damaged.set(name, Buffer.concat([bytes.subarray(0, at), part, part, rest]));
    else if (how === 5) damaged.delete(name);
    else damaged.set(name, Buffer.concat([bytes.subarray(0, at), choices.bytes(20), bytes.subarray(at)]));
  }
  return damaged;
}

function turned(bytes: Buffer, at: number, bit: number): Buffer {
  const index = Math.min(at, Math.max(0, bytes.length - 1));
  if (bytes.length > 0) bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit & 7));
  return bytes;
}

/** How many entries are whole before the first byte that differs, each with its body. */
function firstDamaged(original: Original, damaged: ReadonlyMap<string, Buffer>): number {
  const sameUpTo = (name: string): number => {
    const before = original.files.get(name) ?? Buffer.alloc(0);
    const after = damaged.get(name) ?? Buffer.alloc(0);
    let at = 0;
    while (at < before.length && at < after.length && before[at] === after[at]) at++;
    return at;
  };
  const whole = original.ends.findIndex(
    ({ segment, journal, bodies }) =>
      sameUpTo(`${segment}.journal`) < journal || sameUpTo(`${segment}.bodies`) < bodies,
  );
  return whole < 0 ? original.entries.length : whole;
}

/** Opens it as the gateway does; null when it is refused. */
async function reopen(
  folder: string,
  original: Original,
  first: number,
  damaged: ReadonlyMap<string, Buffer>,
  feedback: Feedback,
): Promise<number | null> {
  const options = { directory: folder, tenant: 'local', writer: 'gw', clock: { now: () => Date.UTC(2026, 0, 2) } };
  let journal: Awaited<ReturnType<typeof openJournal>>;
  try {
    journal = await openJournal(options);
  } catch (error: unknown) {
    const { code } = error as { code?: string };
    must(code === 'ledger-damaged', 'another error than damage', String(error));
    feedback.note('refused');
    for (const [name, bytes] of damaged) {
      must(readFileSync(path.join(folder, 'gw', name)).equals(bytes), 'refused, and yet a file was changed', name);
    }
    return null;
  }
  const kept = journal.recovery?.wseq ?? 0;
  const past = journal.past('ses_a');
  must(journal.head.wseq === kept + (journal.recovery === null ? 0 : 1), 'more than the entry of the recovery', kept);
  await journal.close();
  must(kept >= first, 'an entry before the damage was lost', kept, first);
  must(kept <= original.entries.length, 'entries were invented', kept);
  const expected = original.past[kept];
  must(
    past.seq === expected?.seq && past.decisions === expected.decisions,
    'another past of the session',
    past,
    expected,
  );
  // An earlier segment may be damaged without being read; what is continued is the last one.
  const newest = [...filesIn(folder)]
    .filter(([name]) => name.endsWith('.journal'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const last = entriesOf(new Map(newest.slice(-1))).entries.findLast((entry) => !isRecovery(entry));
  const wanted = original.entries[kept - 1];
  must(last === undefined || wanted === undefined || last.equals(wanted), 'another last entry', kept, last);
  return kept;
}

function isRecovery(entry: Buffer): boolean {
  return (JSON.parse(entry.toString()) as { type: string }).type === 'recovery';
}

/** What the verifier passes is a beginning of what was written; nothing else can be passed off as it. */
function checkVerifier(folder: string, original: Original, feedback: Feedback): void {
  const report = verifyLedger({ journals: folder, tree: null, verifierKey: null, parts: ['entries'] });
  feedback.note(`verifier ${report.ok} ${report.parts[0]?.failures[0]?.code ?? ''}`);
  if (!report.ok) return;
  const { entries } = entriesOf(filesIn(folder));
  const written = entries.at(-1) !== undefined && isRecovery(entries.at(-1) as Buffer) ? entries.slice(0, -1) : entries;
  must(written.length <= original.entries.length, 'the verifier passes more than was written', written.length);
  for (const [i, entry] of written.entries()) {
    must(entry.equals(original.entries[i] ?? Buffer.alloc(0)), 'the verifier passes another entry', i, entry);
  }
}

function filesIn(folder: string): Map<string, Buffer> {
  const inside = path.join(folder, 'gw');
  if (!existsSync(inside)) return new Map();
  return new Map(
    readdirSync(inside)
      .filter((name) => /^[0-9]{16}\.(journal|bodies|state)$/.test(name))
      .map((name) => [name, readFileSync(path.join(inside, name))]),
  );
}

must(frameHeaderBytes === 16, 'the format of a frame has changed; so must this reader');
