import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JournalTail } from '../src/index.ts';
import { act, decision, journalsOf, openTestJournal, temporary } from './rig.ts';

const wseqs = (tail: JournalTail, bytesMax?: number): number[] => tail.read(bytesMax).map(({ entry }) => entry.wseq);
const segmentFile = (root: string, first = 1): string =>
  join(journalsOf(root), 'gw', `${String(first).padStart(16, '0')}.journal`);

describe('JournalTail', () => {
  it('follows a journal through its segments while it is written, each entry once', async () => {
    const root = temporary();
    using tail = new JournalTail({ directory: journalsOf(root), writer: 'gw' });
    expect(wseqs(tail)).toEqual([]);
    await using journal = await openTestJournal(root, { segmentBytes: 1500 });
    const seen: number[] = [];
    for (let i = 0; i < 30; i++) {
      await act(journal, `att_${i}`);
      if (i % 4 === 0) seen.push(...wseqs(tail));
    }
    seen.push(...wseqs(tail));
    expect(seen).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
    expect(tail.problem).toBeNull();
    expect(wseqs(tail)).toEqual([]);
    await tail.sync();
  });

  it('starts where it is told, in any segment, and takes in no more than it is told', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root, { segmentBytes: 1500 });
    for (let i = 0; i < 10; i++) await act(journal, `att_${i}`);
    for (let from = 1; from <= 31; from++) {
      using tail = new JournalTail({ directory: journalsOf(root), writer: 'gw', fromWseq: from });
      expect(wseqs(tail)).toEqual(Array.from({ length: 31 - from }, (_, i) => from + i));
    }
    using tail = new JournalTail({ directory: journalsOf(root), writer: 'gw' });
    const first = wseqs(tail, 1);
    expect(first.length).toBeLessThan(30);
    expect(first[0]).toBe(1);
  });

  it('gives what it is asked for however much stands before it', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root, { segmentBytes: 64 * 1024 * 1024 });
    const drafts = (from: number) => Array.from({ length: 500 }, (_, i) => decision(`att_${from + i}`));
    for (let at = 0; at < 6000; at += 500) await journal.appendTogether(drafts(at), 'os');
    for (const from of [2, 3000, 5999]) {
      using tail = new JournalTail({ directory: journalsOf(root), writer: 'gw', fromWseq: from });
      const first = tail.read(1000).map(({ entry }) => entry.wseq);
      expect(first.slice(0, 2)).toEqual([from, from + 1]);
      const rest: number[] = [];
      for (let batch = tail.read(); batch.length > 0; batch = tail.read()) rest.push(...batch.map((r) => r.entry.wseq));
      expect([...first, ...rest]).toEqual(Array.from({ length: 6001 - from }, (_, i) => from + i));
    }
  });

  it('waits at an unfinished frame, and reads what stands there after the writer has cut it', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    await journal.append(decision('att_1'), 'os');
    await journal.close();
    using tail = new JournalTail({ directory: journalsOf(root), writer: 'gw' });
    expect(wseqs(tail)).toEqual([1]);
    const frame = readFileSync(segmentFile(root));
    appendFileSync(segmentFile(root), frame.subarray(0, 40));
    expect(wseqs(tail)).toEqual([]);
    expect(tail.problem).toBeNull();
    await using again = await openTestJournal(root);
    await again.append(decision('att_2'), 'os');
    expect(wseqs(tail)).toEqual([2, 3]);
  });

  it('stops, and says where, at a bad frame, a shortened file, another past, and a journal that is gone', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    const leaves: string[] = [];
    for (let i = 0; i < 3; i++) leaves.push((await journal.append(decision(`att_${i}`), 'os')).leaf);
    await journal.close();
    const whole = readFileSync(segmentFile(root));
    const open = (fromWseq: number, leafBefore: string | null = null): JournalTail =>
      new JournalTail({ directory: journalsOf(root), writer: 'gw', fromWseq, leafBefore });
    {
      using tail = open(3, leaves[1] ?? '');
      expect(wseqs(tail)).toEqual([3]);
    }
    {
      using tail = open(3, leaves[0] ?? '');
      expect(wseqs(tail)).toEqual([]);
      expect(tail.problem).toMatchObject({ writer: 'gw', segment: 1, why: 'wseq 2 is not the entry that is known' });
    }
    {
      using tail = open(6);
      expect(wseqs(tail)).toEqual([]);
      expect(tail.problem?.why).toBe('ends at wseq 3, 5 is known');
    }
    {
      using tail = open(1);
      expect(wseqs(tail)).toEqual([1, 2, 3]);
      truncateSync(segmentFile(root), 100);
      expect(wseqs(tail)).toEqual([]);
      expect(tail.problem?.why).toMatch(/has become shorter/);
    }
    const flipped = Buffer.from(whole);
    flipped[whole.length - 3] = 0;
    writeFileSync(segmentFile(root), flipped);
    {
      using tail = open(1);
      expect(wseqs(tail)).toEqual([1, 2]);
      expect(tail.problem).toMatchObject({ segment: 1, offset: (whole.length / 3) * 2, why: 'checksum' });
    }
    rmSync(join(journalsOf(root), 'gw'), { recursive: true });
    using tail = open(2);
    expect(wseqs(tail)).toEqual([]);
    expect(tail.problem?.why).toBe('the journal is gone');
  });
});
