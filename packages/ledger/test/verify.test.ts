import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '@cordon/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryText, parseEntry } from '../src/entry.ts';
import { encodeFrame, readFrame } from '../src/frame.ts';
import {
  createCheckpointKey,
  openSigner,
  openTree,
  type VerifyPart,
  type VerifyReport,
  verifyLedger,
} from '../src/index.ts';
import { hashLeaf, noLeaf, toLeafText } from '../src/leaf.ts';
import {
  act,
  decision,
  journalsOf,
  openTestJournal,
  origin,
  outcome,
  start,
  temporary,
  testSigner,
  tickingClock,
  treeOf,
} from './rig.ts';

const signer = testSigner();
let base = '';
let heldCheckpoint = '';

/** Two segments of a gateway, a control plane, a crash with a doubt, several heads: a small life of a ledger. */
async function makeLedger(root: string): Promise<string> {
  const gateway = await openTestJournal(root, { segmentBytes: 30_000 });
  const tree = await openTree({
    directory: treeOf(root),
    journals: journalsOf(root),
    signer,
    clock: { now: steppingClock() },
  });
  const control = await openTestJournal(root, { writer: 'cp' });
  await control.append(
    { session: 'ses_a', seq: null, type: 'session.start', data: { agent: 'a' }, body: 'order' },
    'disk',
  );
  for (let i = 0; i < 60; i++) await act(gateway, `att_${i}`, i % 2 === 0 ? 'ses_a' : 'ses_b');
  await gateway.append(decision('att_denied', 'ses_a', 'deny'), 'os');
  await tree.integrate();
  const held = tree.head.checkpoint;
  await gateway.appendTogether([decision('att_doubt'), start('att_doubt')], 'disk');
  await gateway.close();
  const again = await openTestJournal(root, { segmentBytes: 30_000 });
  for (let i = 60; i < 90; i++) await act(again, `att_${i}`);
  await control.append({ session: 'ses_a', seq: null, type: 'session.end', data: {} }, 'disk');
  await tree.integrate();
  await again.close();
  await control.close();
  await tree.close();
  return held;
}

/** Far enough apart that every head is kept. */
function steppingClock(): () => number {
  const clock = tickingClock();
  return () => Date.UTC(2026, 0, 1) + (clock.now() % 100_000) * 70_000;
}

function verify(
  root: string,
  options: { parts?: readonly VerifyPart[]; checkpoints?: readonly string[]; key?: string } = {},
): VerifyReport {
  return verifyLedger({
    journals: journalsOf(root),
    tree: treeOf(root),
    verifierKey: options.key ?? signer.verifierKey,
    checkpoints: options.checkpoints ?? [],
    ...(options.parts === undefined ? {} : { parts: options.parts }),
  });
}

/** `part:code` of every failure. */
function codes(report: VerifyReport): string[] {
  return report.parts.flatMap(({ part, failures }) => failures.map(({ code }) => `${part}:${code}`));
}

function copyOf(root: string): string {
  const copy = temporary();
  cpSync(root, copy, { recursive: true });
  return copy;
}

const segmentOf = (root: string, writer = 'gw', kind = 'journal', nth = 0): string => {
  const folder = join(journalsOf(root), writer);
  const names = readdirSync(folder).filter((name) => name.endsWith(`.${kind}`));
  return join(folder, names.sort()[nth] ?? '');
};

/** Rewrites a writer's entries as an attacker with the disk would: frames and checksums fit again. */
function rewrite(path: string, change: (entries: Entry[]) => Entry[], relink = false, synced = 0): void {
  const bytes = readFileSync(path);
  const entries: Entry[] = [];
  for (let frame = readFrame(bytes, 0); frame.kind === 'frame'; frame = readFrame(bytes, frame.next)) {
    const entry = parseEntry(frame.entry);
    if (entry !== null) entries.push(entry);
  }
  let { wseq, prev } = entries[0] ?? { wseq: 1, prev: noLeaf };
  const frames = change(entries).map((entry) => {
    const encoded = Buffer.from(entryText(relink ? { ...entry, wseq, prev } : entry));
    wseq += 1;
    prev = toLeafText(hashLeaf(encoded));
    return encodeFrame(encoded, synced);
  });
  writeFileSync(path, Buffer.concat(frames));
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'cordon-ledger-'));
  heldCheckpoint = await makeLedger(base);
});

afterAll(() => rmSync(base, { recursive: true, force: true }));

describe('verifyLedger', () => {
  it('says ok, part by part, to what was recorded', () => {
    const report = verify(base, { checkpoints: [heldCheckpoint] });
    expect(codes(report)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.parts.map(({ part }) => part)).toEqual([
      ...['entries', 'complete', 'tree', 'witnesses', 'labels', 'kill'],
    ]);
    const [entries, complete, tree] = report.parts;
    expect(entries?.counts).toMatchObject({ failures: 0, writers: 2, entries: 276, seals: 93, bodies: 93 });
    expect(complete?.counts).toMatchObject({
      decisions: 92,
      starts: 91,
      outcomes: 90,
      inDoubt: 1,
      open: 0,
      sessions: 2,
    });
    expect(tree?.counts).toMatchObject({ size: 276, checkpoints: 3 });
    expect(report.parts.find(({ part }) => part === 'witnesses')?.notes.join()).toMatch(/unwitnessed/);
  });

  it('runs each part alone, and never takes a part that cannot run for a pass', () => {
    for (const part of ['entries', 'complete', 'tree'] as const) {
      expect(verify(base, { parts: [part] }).parts.map((one) => one.part)).toEqual([part]);
    }
    const nothing = { journals: null, tree: null, verifierKey: null };
    expect(() => verifyLedger(nothing)).toThrow(/not given/);
    expect(() => verifyLedger({ ...nothing, journals: journalsOf(base), parts: ['tree'] })).toThrow(/tree/);
    expect(() => verifyLedger({ ...nothing, tree: treeOf(base), parts: ['tree'] })).toThrow(/tree/);
    expect(() => verify(base, { key: 'no key' })).toThrow(/no verifier key/);
  });

  it('notes what a live or killed writer leaves open, and fails for none of it', async () => {
    const root = copyOf(base);
    await using journal = await openTestJournal(root);
    await journal.appendTogether([decision('att_live'), start('att_live')], 'os');
    const path = segmentOf(
      root,
      'gw',
      'journal',
      readdirSync(join(journalsOf(root), 'gw')).filter((n) => n.endsWith('.journal')).length - 1,
    );
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from([0, 0, 1, 0, 9])]));
    const report = verify(root);
    expect(codes(report)).toEqual([]);
    expect(report.parts[0]?.notes.join()).toMatch(/not finished/);
    expect(report.parts[1]?.notes.join()).toMatch(/att_live/);
    expect(report.parts[2]?.counts['waiting']).toBe(3);
  });
});

describe('tamper matrix', () => {
  const cases: Record<string, { change: (root: string) => void; expected: string }> = {
    'a journal is cut short by whole entries': {
      change: (root) => rewrite(segmentOf(root, 'cp'), (entries) => entries.slice(0, 1)),
      expected: 'tree:journal',
    },
    'a journal is cut in the middle of an entry': {
      change: (root) => truncateSync(segmentOf(root, 'cp'), readFileSync(segmentOf(root, 'cp')).length - 5),
      expected: 'tree:journal',
    },
    'a segment that is not the last is cut short': {
      change: (root) => truncateSync(segmentOf(root), readFileSync(segmentOf(root)).length - 5),
      expected: 'entries:frame',
    },
    'a segment is deleted': { change: (root) => rmSync(segmentOf(root)), expected: 'complete:wseq' },
    'the last segment is deleted': {
      change: (root) => rmSync(segmentOf(root, 'gw', 'journal', 1)),
      expected: 'tree:journal',
    },
    'a writer is deleted': {
      change: (root) => rmSync(join(journalsOf(root), 'gw'), { recursive: true }),
      expected: 'tree:journal',
    },
    'all journals are deleted': {
      change: (root) => rmSync(journalsOf(root), { recursive: true }),
      expected: 'entries:missing',
    },
    'an entry is deleted': {
      change: (root) => rewrite(segmentOf(root), (entries) => entries.toSpliced(20, 1)),
      expected: 'complete:wseq',
    },
    'an entry is deleted and the rest renumbered': {
      change: (root) => rewrite(segmentOf(root), (entries) => entries.toSpliced(20, 1), true),
      expected: 'complete:seq',
    },
    'an outcome without a session number is deleted and the rest relinked': {
      change: (root) => rewrite(segmentOf(root, 'cp'), (entries) => entries.slice(1), true),
      expected: 'tree:journal',
    },
    'two entries change places': {
      change: (root) =>
        rewrite(segmentOf(root), (entries) => entries.with(18, entries[19] as Entry).with(19, entries[18] as Entry)),
      expected: 'complete:wseq',
    },
    'two entries change places and are relinked': {
      change: (root) =>
        rewrite(
          segmentOf(root),
          (entries) => entries.with(18, entries[19] as Entry).with(19, entries[18] as Entry),
          true,
        ),
      expected: 'complete:seq',
    },
    'an entry is inserted': {
      change: (root) => rewrite(segmentOf(root), (entries) => entries.toSpliced(9, 0, entries[8] as Entry), true),
      expected: 'complete:seq',
    },
    'an entry is changed and relinked': {
      change: (root) =>
        rewrite(
          segmentOf(root),
          (entries) =>
            entries.map((entry) => (entry.wseq === 4 ? { ...entry, data: { ...entry.data, resource: 'x' } } : entry)),
          true,
        ),
      expected: 'tree:journal',
    },
    'a time is changed and relinked': {
      change: (root) =>
        rewrite(
          segmentOf(root),
          (entries) => entries.map((e) => (e.wseq === 4 ? { ...e, at: '2020-01-01T00:00:00.000Z' } : e)),
          true,
        ),
      expected: 'tree:journal',
    },
    'another writer’s journal is put in place': {
      change: (root) => cpSync(segmentOf(root, 'cp'), segmentOf(root)),
      expected: 'entries:writer',
    },
    'a journal is moved to another tenant': {
      change: (root) =>
        rewrite(segmentOf(root, 'cp'), (entries) => entries.map((e) => ({ ...e, tenant: 'other' })), true),
      expected: 'entries:tenant',
    },
    'segments change places': {
      change: (root) => {
        const [first, second] = [segmentOf(root), segmentOf(root, 'gw', 'journal', 1)];
        renameSync(first, `${first}.x`);
        renameSync(second, first);
        renameSync(`${first}.x`, second);
      },
      expected: 'complete:wseq',
    },
    'a body is changed': {
      change: (root) => flip(segmentOf(root, 'gw', 'bodies'), 40),
      expected: 'entries:body',
    },
    'the bodies are deleted': { change: (root) => rmSync(segmentOf(root, 'gw', 'bodies')), expected: 'entries:body' },
    'an allow becomes a deny': {
      change: (root) =>
        rewrite(
          segmentOf(root),
          (entries) => entries.map((e) => (e.wseq === 4 ? { ...e, data: { ...e.data, outcome: 'deny' } } : e)),
          true,
        ),
      expected: 'complete:start',
    },
    'an effect is started twice for one allow': {
      change: (root) =>
        rewrite(
          segmentOf(root),
          (entries) => {
            const at = entries.findIndex(({ type }) => type === 'start');
            return entries.toSpliced(at + 1, 0, entries[at] as Entry);
          },
          true,
        ),
      expected: 'complete:start',
    },
    'an entry says that itself was on disk before it was written': {
      change: (root) => rewrite(segmentOf(root, 'cp'), (entries) => entries, false, 9),
      expected: 'entries:synced',
    },
    'a doubt is taken out of a recovery': {
      change: (root) =>
        rewriteAll(root, (entry) =>
          entry.type === 'recovery' ? { ...entry, data: { ...entry.data, inDoubt: [] } } : entry,
        ),
      expected: 'complete:start',
    },
    'an outcome is made up': {
      change: (root) =>
        rewriteAll(root, (entry) =>
          entry.type === 'recovery' ? { ...entry, type: 'outcome', data: { ...outcome('att_never').data } } : entry,
        ),
      expected: 'complete:outcome',
    },
    'a tile is changed': { change: (root) => flip(join(treeOf(root), 'tile/0/000'), 100), expected: 'tree:tile' },
    'a tile is deleted': { change: (root) => rmSync(join(treeOf(root), 'tile/0/000')), expected: 'tree:tile' },
    'an upper tile is changed': {
      change: (root) => flip(join(treeOf(root), 'tile/1/000.p/1'), 0),
      expected: 'tree:tile',
    },
    'a bundle is changed': { change: (root) => flip(join(treeOf(root), 'tile/entries/000'), 5000), expected: 'tree:' },
    'a bundle is deleted': {
      change: (root) => rmSync(join(treeOf(root), 'tile/entries/000')),
      expected: 'tree:bundle',
    },
    'the head is deleted': { change: (root) => rmSync(join(treeOf(root), 'checkpoint')), expected: 'tree:signature' },
    'the tree is deleted': { change: (root) => rmSync(treeOf(root), { recursive: true }), expected: 'tree:signature' },
    'the head is put back to an old one': {
      change: (root) => writeFileSync(join(treeOf(root), 'checkpoint'), heldCheckpoint),
      expected: 'tree:',
    },
    'a kept head is changed': {
      change: (root) => flip(join(treeOf(root), 'checkpoints.jsonl'), 60),
      expected: 'tree:signature',
    },
    'the head is signed by another key': {
      change: (root) => {
        const note = readFileSync(join(treeOf(root), 'checkpoint'), 'utf8');
        const other = openSigner(origin, createCheckpointKey(origin).privatePem);
        writeFileSync(join(treeOf(root), 'checkpoint'), other.sign(note.slice(0, note.indexOf('\n\n') + 1)));
      },
      expected: 'tree:signature',
    },
  };

  for (const [name, { change, expected }] of Object.entries(cases)) {
    it(`notices when ${name}`, () => {
      const root = copyOf(base);
      change(root);
      const report = verify(root);
      expect(report.ok).toBe(false);
      expect(
        codes(report).some((code) => code.startsWith(expected)),
        codes(report).join(' '),
      ).toBe(true);
      const [failure] = report.parts.flatMap(({ failures }) => failures);
      expect(failure?.where).toMatch(/:\d+$|^leaf |^tile|^checkpoint|^session|journal/);
    });
  }

  it('notices every flipped byte of journal, bodies, head and tiles', () => {
    const root = copyOf(base);
    const files = [
      segmentOf(root, 'cp'),
      segmentOf(root, 'cp', 'bodies'),
      join(treeOf(root), 'checkpoint'),
      join(treeOf(root), 'tile/1/000.p/1'),
      join(treeOf(root), 'tile/entries/001.p/20'),
    ];
    for (const path of files) {
      const whole = readFileSync(path);
      for (let at = 0; at < whole.length; at += path.includes('entries') ? 61 : 1 + Math.floor(whole.length / 150)) {
        flip(path, at);
        expect(verify(root).ok, `${path} byte ${at}`).toBe(false);
        writeFileSync(path, whole);
      }
    }
    expect(verify(root).ok).toBe(true);
  });

  it('knows a ledger that was rewritten whole, with the log’s own key, by a checkpoint kept elsewhere', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    for (let i = 0; i < 100; i++) await act(journal, `att_other_${i}`);
    await journal.close();
    const tree = await openTree({ directory: treeOf(root), journals: journalsOf(root), signer, clock: tickingClock() });
    await tree.integrate();
    await tree.close();
    expect(verify(root).ok).toBe(true);
    expect(codes(verify(root, { checkpoints: [heldCheckpoint] }))).toEqual(['tree:fork']);
    const longer = openSigner(origin, createCheckpointKey(origin).privatePem);
    expect(codes(verify(root, { checkpoints: [longer.sign(`${origin}\n1\n${'A'.repeat(43)}=\n`)] }))).toEqual([
      'tree:signature',
    ]);
    const ahead = signer.sign(`${origin}\n9999\n${'A'.repeat(43)}=\n`);
    expect(codes(verify(root, { checkpoints: [ahead] }))).toEqual(['tree:shortened']);
  });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

/** Changes single entries of the gateway, every segment relinked to the one before. */
function rewriteAll(root: string, change: (entry: Entry) => Entry): void {
  const folder = join(journalsOf(root), 'gw');
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.journal'))) {
    rewrite(join(folder, name), (entries) => entries.map(change), true);
  }
}
