import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { frameHeaderBytes, readFrame } from '../src/frame.ts';
import { type JournalFiles, nodeFiles, verifyLedger } from '../src/index.ts';
import { act, codeOf, decision, journalsOf, openTestJournal, start, temporary } from './rig.ts';

const fileOf = (root: string, kind: 'journal' | 'bodies'): string =>
  join(journalsOf(root), 'gw', `0000000000000001.${kind}`);

/** Without the waiting for the disk, which a thousand openings here do not need. */
const unsyncedFiles: JournalFiles = {
  ...nodeFiles,
  sync: async () => undefined,
  syncNow: () => undefined,
  syncDirectory: () => undefined,
  replace: (path, bytes) => writeFileSync(path, bytes),
};

/** Start offsets of all frames, and the end. */
function frameOffsets(bytes: Buffer): number[] {
  const offsets = [0];
  for (let frame = readFrame(bytes, 0); frame.kind === 'frame'; frame = readFrame(bytes, offsets.at(-1) ?? 0)) {
    offsets.push(frame.next);
  }
  return offsets;
}

/** Entries of the os tier only, written in one go, so that none of the frames says that any was on disk. */
async function unsynced(root: string): Promise<void> {
  const journal = await openTestJournal(root);
  const drafts = Array.from({ length: 5 }, (_, i) => [decision(`att_${i}`), start(`att_${i}`)]).flat();
  await journal.appendTogether(drafts, 'os');
  await journal.close();
}

function expectSound(root: string): void {
  const report = verifyLedger({ journals: journalsOf(root), tree: null, verifierKey: null });
  expect(report.parts.flatMap(({ failures }) => failures)).toEqual([]);
}

describe('recovery', () => {
  it('cuts at every byte of the last three frames, keeps every whole frame, and keeps the rest aside', async () => {
    const root = temporary();
    await unsynced(root);
    const whole = readFileSync(fileOf(root, 'journal'));
    const offsets = frameOffsets(whole);
    const from = offsets.at(-4) ?? 0;
    const copy = temporary();
    for (let cut = from; cut < whole.length; cut++) {
      for (const damage of ['cut', 'zeroes'] as const) {
        rmSync(join(copy, 'journal'), { recursive: true, force: true });
        cpSync(join(root, 'journal'), join(copy, 'journal'), { recursive: true });
        const damaged = Buffer.concat([
          whole.subarray(0, cut),
          Buffer.alloc(damage === 'cut' ? 0 : whole.length - cut),
        ]);
        writeFileSync(fileOf(copy, 'journal'), damaged);
        const journal = await openTestJournal(copy, { files: unsyncedFiles });
        const kept = offsets.filter((offset) => offset <= cut).length - 1;
        const boundary = offsets.includes(cut);
        expect(journal.recovery?.wseq, `${damage} at ${cut}`).toBe(kept);
        const cuts = journal.recovery?.cuts ?? [];
        expect(cuts).toHaveLength(boundary && damage === 'cut' ? 0 : 1);
        for (const { aside, offset } of cuts) {
          expect(readFileSync(join(journalsOf(copy), 'gw', aside)).equals(damaged.subarray(offset))).toBe(true);
        }
        await journal.close();
        if (cut % 37 === 0) expectSound(copy);
      }
    }
  }, 60_000);

  it('takes a bad frame that was on disk for damage, and stays down', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    for (let i = 0; i < 4; i++) await journal.append(decision(`att_${i}`), 'disk');
    await journal.close();
    const whole = readFileSync(fileOf(root, 'journal'));
    const offsets = frameOffsets(whole);
    // The last frame's mark says that the first three were on disk: no byte of those may be lost silently.
    for (let at = 0; at < (offsets[3] ?? 0); at += 7) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x40;
      writeFileSync(fileOf(root, 'journal'), damaged);
      expect(await codeOf(openTestJournal(root)), `byte ${at}`).toBe('ledger-damaged');
      expect(readFileSync(fileOf(root, 'journal')).equals(damaged)).toBe(true);
    }
    writeFileSync(fileOf(root, 'journal'), whole);
    await (await openTestJournal(root)).close();
  });

  it('takes a sound frame in the wrong place for damage, wherever it is', async () => {
    const root = temporary();
    await unsynced(root);
    const whole = readFileSync(fileOf(root, 'journal'));
    const offsets = frameOffsets(whole);
    const frame = (i: number): Buffer => whole.subarray(offsets[i], offsets[i + 1]);
    const cases = {
      repeated: Buffer.concat([whole, frame(9)]),
      swapped: Buffer.concat([whole.subarray(0, offsets[8]), frame(9), frame(8)]),
      missing: Buffer.concat([whole.subarray(0, offsets[8]), frame(9)]),
    };
    for (const [name, bytes] of Object.entries(cases)) {
      writeFileSync(fileOf(root, 'journal'), bytes);
      expect(await codeOf(openTestJournal(root)), name).toBe('ledger-damaged');
    }
  });

  it('takes the loss of a whole segment, or of its beginning, for damage', async () => {
    const root = temporary();
    const journal = await openTestJournal(root, { segmentBytes: 1500 });
    for (let i = 0; i < 12; i++) await act(journal, `att_${i}`);
    await journal.close();
    const folder = join(journalsOf(root), 'gw');
    const segments = readdirSync(folder).filter((name) => name.endsWith('.journal'));
    expect(segments.length).toBeGreaterThan(3);
    for (const name of readdirSync(folder)) if (name.endsWith('.state')) rmSync(join(folder, name));
    await (await openTestJournal(root)).close();
    rmSync(join(folder, segments[1] ?? ''));
    expect(await codeOf(openTestJournal(root))).toBe('ledger-damaged');
  });

  it('reads every segment when the state file is unusable', async () => {
    const root = temporary();
    const journal = await openTestJournal(root, { segmentBytes: 1500 });
    for (let i = 0; i < 12; i++) await act(journal, `att_${i}`, `ses_${i % 2}`);
    const past = journal.past('ses_0');
    await journal.close();
    const folder = join(journalsOf(root), 'gw');
    for (const name of readdirSync(folder)) if (name.endsWith('.state')) writeFileSync(join(folder, name), '{');
    await using again = await openTestJournal(root);
    expect(again.recovery?.wseq).toBe(36);
    expect(again.past('ses_0')).toEqual(past);
  });

  it('believes no state file in which a single bit was turned', async () => {
    const root = temporary();
    const journal = await openTestJournal(root, { segmentBytes: 1500 });
    for (let i = 0; i < 12; i++) await act(journal, `att_${i}`);
    const past = journal.past('ses_a');
    await journal.close();
    const folder = join(journalsOf(root), 'gw');
    const last = join(
      folder,
      readdirSync(folder)
        .filter((name) => name.endsWith('.state'))
        .sort()
        .at(-1) ?? '',
    );
    const whole = readFileSync(last);
    const turned = Buffer.from(whole.toString().replace('"decisions":', '"decisionz":'));
    expect(turned.equals(whole)).toBe(false);
    writeFileSync(last, turned);
    await using again = await openTestJournal(root);
    expect(again.past('ses_a')).toEqual(past);
  });

  it('drops an entry whose body did not reach the disk, and cuts a half body', async () => {
    const root = temporary();
    await unsynced(root);
    const bodies = readFileSync(fileOf(root, 'bodies'));
    truncateSync(fileOf(root, 'bodies'), bodies.length - 3);
    const journal = await openTestJournal(root);
    // The ninth entry is the last decision; its body is the last one.
    expect(journal.recovery?.wseq).toBe(8);
    expect(journal.recovery?.cuts.map(({ file }) => file).sort()).toEqual([
      '0000000000000001.bodies',
      '0000000000000001.journal',
    ]);
    await journal.close();
    expectSound(root);
  });

  it('takes the loss of a body that was on disk for damage', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    for (let i = 0; i < 3; i++) await journal.append(decision(`att_${i}`), 'disk');
    await journal.close();
    const bodies = readFileSync(fileOf(root, 'bodies'));
    bodies[40] = (bodies[40] ?? 0) ^ 1;
    writeFileSync(fileOf(root, 'bodies'), bodies);
    expect(await codeOf(openTestJournal(root))).toBe('ledger-damaged');
  });

  it('is not misled by text of an agent that looks like a frame', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    const inner = readFileSync(fileOf(root, 'journal')).toString('latin1');
    const frameText = `\u0000\u0000\u0001${inner}`;
    await journal.appendTogether(
      [
        { session: null, type: 'fault', data: { text: frameText.repeat(3) } },
        { session: null, type: 'fault', data: { text: '\u0000'.repeat(frameHeaderBytes * 4) } },
      ],
      'os',
    );
    await journal.close();
    const whole = readFileSync(fileOf(root, 'journal'));
    const [, second] = frameOffsets(whole);
    const entry = whole.subarray((second ?? 0) + frameHeaderBytes);
    expect(entry.includes(0)).toBe(false);
  });
});
