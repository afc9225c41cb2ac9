import { readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JournalArchive, type JournalRecord, readJournal, verifyLedger } from '../src/index.ts';
import { limits } from '../src/limits.ts';
import { act, codeOf, decision, journalsOf, openTestJournal, outcome, start, temporary } from './rig.ts';

async function readAll(root: string, writer = 'gw', fromWseq = 1): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readJournal(journalsOf(root), writer, { fromWseq })) records.push(record);
  return records;
}

describe('journal', () => {
  it('records what it answers for, gapless and chained', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const first = await journal.append(decision('att_1'), 'os');
    expect(first).toMatchObject({ writer: 'gw', wseq: 1, tier: 'os', decision: `sha256:${'d'.repeat(64)}` });
    const [second, third] = await journal.appendTogether([decision('att_2'), start('att_2')], 'disk');
    expect(second).toMatchObject({ wseq: 2, tier: 'disk' });
    expect(third).toMatchObject({ wseq: 3, decision: null });
    const records = await readAll(root);
    expect(records.map(({ entry }) => [entry.wseq, entry.seq, entry.type])).toEqual([
      [1, 1, 'decision'],
      [2, 2, 'decision'],
      [3, 3, 'start'],
    ]);
    expect(records.map(({ leaf }) => leaf)).toEqual([first.leaf, second?.leaf, third?.leaf]);
    expect(records.slice(1).map(({ entry }) => entry.prev)).toEqual([first.leaf, second?.leaf]);
    expect(records[0]?.entry.prev).toBe(`sha256:${'0'.repeat(64)}`);
    expect(journal.head).toEqual({ wseq: 3, leaf: third?.leaf });
  });

  it('has written an os entry, mark and all, before the promise settles', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    await journal.append(decision('att_1'), 'disk');
    const promise = journal.append(decision('att_2'), 'os');
    await promise;
    const frames = readFileSync(join(journalsOf(root), 'gw', '0000000000000001.journal'));
    expect(frames.includes('att_2')).toBe(true);
    const second = frames.readUInt32BE(0) + 16;
    expect(frames.readBigUInt64BE(second + 8)).toBe(1n);
  });

  it('numbers each session by itself, checks a given number, and leaves out null', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const note = (session: string | null, seq?: number | null) =>
      journal.append({ session, type: 'fault', data: {}, ...(seq === undefined ? {} : { seq }) }, 'os');
    await note('ses_a');
    await note('ses_b');
    await note('ses_a', 2);
    await note('ses_a', null);
    await note(null);
    expect(await codeOf(note('ses_a', 4))).toBe('ledger-sequence');
    expect(await codeOf(note('ses_a', 2))).toBe('ledger-sequence');
    expect(await codeOf(note(null, 1))).toBe('ledger-sequence');
    await note('ses_a', 3);
    const records = await readAll(root);
    expect(records.map(({ entry }) => [entry.wseq, entry.session, entry.seq])).toEqual([
      [1, 'ses_a', 1],
      [2, 'ses_b', 1],
      [3, 'ses_a', 2],
      [4, 'ses_a', null],
      [5, null, null],
      [6, 'ses_a', 3],
    ]);
    expect(journal.past('ses_a').seq).toBe(3);
    expect(journal.past('ses_never')).toEqual({
      seq: 0,
      decisions: 0,
      attempt: null,
      closed: [],
      label: null,
      leaked: 0,
    });
  });

  it('keeps bodies beside the entries, once per segment, under their digest', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const draft = { session: null, type: 'fault' as const, data: {} };
    await journal.append({ ...draft, body: 'hello' }, 'os');
    await journal.append({ ...draft, body: Buffer.from('hello') }, 'os');
    await journal.append({ ...draft, body: '' }, 'os');
    expect(statSync(join(journalsOf(root), 'gw', '0000000000000001.bodies')).size).toBe(36 + 5 + 36);
    const archive = new JournalArchive(journalsOf(root));
    for (const { entry, position, leaf } of await readAll(root)) {
      if (entry.seal === null) throw new Error('no seal');
      expect(archive.body(position, entry).toString()).toBe(entry.seal.bytes === 0 ? '' : 'hello');
      expect(archive.entry(position)).toMatchObject({ entry, leaf });
    }
    const [record] = await readAll(root);
    const seal = { digest: `sha256:${'1'.repeat(64)}`, bytes: 5, key: 'none' };
    if (record === undefined) throw new Error('no record');
    expect(() => archive.body(record.position, { ...record.entry, seal })).toThrow(/no body/);
    expect(() => archive.entry({ ...record.position, offset: 1 })).toThrow(/no entry/);
    expect(() => archive.entry({ ...record.position, writer: '../gw' })).toThrow(/plain name/);
    expect(() => archive.entry({ ...record.position, segment: 7 })).toThrow(/no segment/);
  });

  it('refuses what is too large or not canonical, and gives no number away for it', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const draft = { session: 'ses_a', type: 'fault' as const };
    expect(await codeOf(journal.append({ ...draft, data: { text: 'x'.repeat(limits.entryBytesMax) } }, 'os'))).toBe(
      'ledger-too-large',
    );
    expect(
      await codeOf(journal.append({ ...draft, data: {}, body: Buffer.alloc(limits.bodyBytesMax + 1) }, 'os')),
    ).toBe('ledger-too-large');
    expect(await codeOf(journal.append({ ...draft, data: { money: 0.1 } }, 'os'))).toBe('not-canonical');
    expect(await codeOf(journal.append({ ...draft, data: { text: '\ud800' } }, 'os'))).toBe('not-canonical');
    expect(await codeOf(journal.appendTogether([decision('att_1'), { ...draft, data: { money: 0.1 } }], 'os'))).toBe(
      'not-canonical',
    );
    expect((await journal.append(decision('att_2'), 'os')).wseq).toBe(1);
    expect((await readAll(root)).map(({ entry }) => [entry.wseq, entry.seq])).toEqual([[1, 1]]);
  });

  it('writes nothing that it could not read again', async () => {
    const root = temporary();
    let now = Date.UTC(2026, 0, 1);
    const journal = await openTestJournal(root, { clock: { now: () => now } });
    const append = (data: unknown, type = 'fault'): Promise<unknown> =>
      journal.append({ session: null, type: type as 'fault', data: data as Record<string, never> }, 'os');
    expect(await codeOf(append([]))).toBe('ledger-option');
    expect(await codeOf(append(null))).toBe('ledger-option');
    expect(await codeOf(append({}, 7 as unknown as string))).toBe('ledger-option');
    expect(await codeOf(journal.appendTogether([], 'os'))).toBe('ledger-option');
    now = Date.UTC(12_000, 0, 1);
    expect(await codeOf(append({}))).toBe('ledger-option');
    now = Number.NaN;
    await expect(append({})).rejects.toThrow(RangeError);
    now = Date.UTC(2026, 0, 1);
    await append(JSON.parse('{"__proto__":{"attempt":"att_x"},"constructor":1}'));
    await journal.close();
    await using again = await openTestJournal(root);
    expect(again.recovery?.wseq).toBe(1);
  });

  it('refuses the append that would overfill the queue and drops none of the others', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const appends = Array.from({ length: limits.queueEntriesMax + 1 }, (_, i) =>
      journal.append(decision(`att_${i}`), 'disk'),
    );
    const results = await Promise.allSettled(appends);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(limits.queueEntriesMax);
    const last = results.at(-1);
    expect(last?.status === 'rejected' && (last.reason as { code: string }).code).toBe('ledger-full');
    expect((await journal.append(decision('att_after'), 'os')).wseq).toBe(limits.queueEntriesMax + 1);
  });

  it('starts segments, and opens from the state that it left for the last one', async () => {
    const root = temporary();
    const journal = await openTestJournal(root, { segmentBytes: 2000 });
    for (let i = 1; i <= 20; i++) await act(journal, `att_${i}`, `ses_${i % 3}`);
    const { head } = journal;
    const seqs = ['ses_0', 'ses_1', 'ses_2'].map((session) => journal.past(session));
    await journal.close();
    const names = readdirSync(join(journalsOf(root), 'gw'));
    const segments = names.filter((name) => name.endsWith('.journal'));
    expect(segments.length).toBeGreaterThan(5);
    expect(names.filter((name) => name.endsWith('.state'))).toHaveLength(segments.length - 1);
    const records = await readAll(root);
    expect(records.map(({ entry }) => entry.wseq)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect((await readAll(root, 'gw', 37))[0]?.entry.wseq).toBe(37);
    await using again = await openTestJournal(root);
    expect(again.recovery).toMatchObject({ wseq: 60, leaf: head.leaf, inDoubt: [], cuts: [] });
    expect(['ses_0', 'ses_1', 'ses_2'].map((session) => again.past(session))).toEqual(seqs);
    expect(again.head.wseq).toBe(61);
  });

  it('forgets a closed session two segments later, not before', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root, { segmentBytes: 1500 });
    await act(journal, 'att_1', 'ses_a');
    journal.closeSession('ses_a');
    const segments = (): number =>
      readdirSync(join(journalsOf(root), 'gw')).filter((name) => name.endsWith('.journal')).length;
    for (let i = 2; segments() < 2; i++) await act(journal, `att_${i}`, 'ses_b');
    expect(journal.past('ses_a').seq).toBe(3);
    for (let i = 100; segments() < 3; i++) await act(journal, `att_${i}`, 'ses_b');
    expect(journal.past('ses_a').seq).toBe(0);
    expect(journal.past('ses_b').seq).toBeGreaterThan(3);
  });

  it('lets one process write at a time, and names that cannot leave their folder', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    expect(await codeOf(openTestJournal(root))).toBe('ledger-locked');
    await journal.close();
    await (await openTestJournal(root)).close();
    for (const writer of ['', '../gw', 'gw/1', '.', '-gw', 'GW']) {
      expect(await codeOf(openTestJournal(root, { writer }))).toBe('ledger-option');
    }
  });

  it('rejects appends after close', async () => {
    const journal = await openTestJournal(temporary());
    await journal.close();
    await journal.close();
    expect(await codeOf(journal.append(decision('att_1'), 'os'))).toBe('ledger-down');
  });

  it('names starts in doubt when it opens again, once', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    await act(journal, 'att_done');
    await journal.appendTogether([decision('att_open'), start('att_open')], 'os');
    await journal.close();
    const again = await openTestJournal(root);
    expect(again.recovery?.inDoubt).toEqual(['att_open']);
    await again.append(outcome('att_other', 'ses_b'), 'os');
    await again.close();
    await using third = await openTestJournal(root);
    expect(third.recovery?.inDoubt).toEqual([]);
  });

  it('splits a long list of doubts over several entries', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    const attempts = Array.from({ length: limits.recoveryAttemptsMax + 7 }, (_, i) => `att_${i}`);
    for (const attempt of attempts) await journal.appendTogether([decision(attempt), start(attempt)], 'os');
    await journal.close();
    const again = await openTestJournal(root);
    const recoveries = (await readAll(root)).filter(({ entry }) => entry.type === 'recovery');
    expect(recoveries.map(({ entry }) => [entry.data['part'], entry.data['of']])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(recoveries.flatMap(({ entry }) => entry.data['inDoubt'] as string[])).toHaveLength(attempts.length);
    expect(again.head.wseq).toBe(attempts.length * 2 + 2);
    await again.close();
    // Killed between the two parts: the next recovery names the rest, and nothing is missed or named twice.
    const [, second] = recoveries;
    const path = join(journalsOf(root), 'gw', '0000000000000001.journal');
    truncateSync(path, second?.position.offset);
    await (await openTestJournal(root)).close();
    const report = verifyLedger({ journals: journalsOf(root), tree: null, verifierKey: null });
    expect(report.parts.flatMap(({ failures }) => failures)).toEqual([]);
    expect(report.parts[1]?.counts).toMatchObject({ inDoubt: attempts.length, open: 0, recoveries: 2 });
  });

  it('refuses to open a journal that is shorter than what the tree holds of it', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    await act(journal, 'att_1');
    await journal.close();
    expect(await codeOf(openTestJournal(root, { atLeast: 4 }))).toBe('ledger-damaged');
    await (await openTestJournal(root, { atLeast: 3 })).close();
  });
});
