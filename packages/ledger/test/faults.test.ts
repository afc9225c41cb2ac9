import { cpSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Journal, type JournalFiles, nodeFiles, readJournal, verifyLedger } from '../src/index.ts';
import { codeOf, decision, journalsOf, openTestJournal, outcome, start, temporary } from './rig.ts';

type Call = keyof JournalFiles;
interface Fault {
  readonly call: Call;
  /** Which call of that kind fails, from 1. */
  readonly nth: number;
  readonly how: 'throws' | 'short';
}

const ioError = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });

/** The real files, but one call fails once. */
function failing(fault: Fault | null, counts: Map<Call, number>): JournalFiles {
  const guarded = <C extends Call>(call: C): JournalFiles[C] => {
    const real = nodeFiles[call] as (...values: never[]) => unknown;
    const wrapped = (...values: never[]): unknown => {
      const nth = (counts.get(call) ?? 0) + 1;
      counts.set(call, nth);
      if (fault === null || fault.call !== call || fault.nth !== nth) return real(...values);
      if (fault.how === 'short' && call === 'write') {
        const [fd, buffers] = values as unknown as [number, Uint8Array[]];
        const all = Buffer.concat(buffers);
        return nodeFiles.write(fd, [all.subarray(0, Math.floor(all.length / 2))]);
      }
      if (call === 'sync') return Promise.reject(ioError());
      throw ioError();
    };
    return wrapped as JournalFiles[C];
  };
  return {
    openAppend: guarded('openAppend'),
    write: guarded('write'),
    sync: guarded('sync'),
    syncNow: guarded('syncNow'),
    syncDirectory: guarded('syncDirectory'),
    truncate: guarded('truncate'),
    close: guarded('close'),
    read: guarded('read'),
    replace: guarded('replace'),
    makeDirectory: guarded('makeDirectory'),
  };
}

/** What a gateway does, over several segments; notes the leaves that were answered for. */
async function work(journal: Journal, answered: string[]): Promise<void> {
  for (let i = 0; i < 12; i++) {
    const attempt = `att_${i}`;
    const pair = await journal.appendTogether([decision(attempt), start(attempt)], i % 3 === 0 ? 'disk' : 'os');
    answered.push(...pair.map(({ leaf }) => leaf));
    answered.push((await journal.append(outcome(attempt), 'os')).leaf);
  }
  await journal.sync();
}

async function leavesOf(root: string): Promise<string[]> {
  const leaves: string[] = [];
  for await (const { leaf } of readJournal(journalsOf(root), 'gw')) leaves.push(leaf);
  return leaves;
}

function failuresOf(root: string): unknown[] {
  const report = verifyLedger({ journals: journalsOf(root), tree: null, verifierKey: null });
  return report.parts.flatMap(({ failures }) => failures);
}

describe('a journal whose disk fails once', () => {
  it('answers for nothing that is not there, goes down, and is whole after opening anew', async () => {
    const counts = new Map<Call, number>();
    const sound = await openTestJournal(temporary(), { files: failing(null, counts), segmentBytes: 2500 });
    await work(sound, []);
    await sound.close();
    const faults: Fault[] = [];
    for (const call of ['write', 'sync', 'syncNow', 'syncDirectory', 'openAppend', 'replace'] as const) {
      expect(counts.get(call), call).toBeGreaterThan(0);
      for (let nth = 1; nth <= (counts.get(call) ?? 0); nth++) {
        faults.push({ call, nth, how: 'throws' });
        if (call === 'write') faults.push({ call, nth, how: 'short' });
      }
    }
    let down = 0;
    for (const fault of faults) {
      const root = temporary();
      const answered: string[] = [];
      const name = `${fault.call} ${fault.nth} ${fault.how}`;
      const files = failing(fault, new Map());
      const journal = await openTestJournal(root, { files, segmentBytes: 2500 }).catch(() => null);
      if (journal !== null) {
        const told: string[] = [];
        journal.onFailure(({ code }) => told.push(code));
        try {
          await work(journal, answered);
        } catch (error) {
          expect((error as { code: string }).code, name).toBe('ledger-down');
          expect(told, name).toEqual(['ledger-down']);
          expect(journal.failure?.code).toBe('ledger-down');
          expect(await codeOf(journal.append(decision('att_late'), 'os')), name).toBe('ledger-down');
          down++;
        }
        await journal.close().catch(() => undefined);
      }
      const again = await openTestJournal(root);
      const leaves = new Set(await leavesOf(root));
      expect(
        answered.filter((leaf) => !leaves.has(leaf)),
        name,
      ).toEqual([]);
      await again.append(decision('att_after'), 'disk');
      await again.close();
      expect(failuresOf(root), name).toEqual([]);
    }
    expect(down).toBeGreaterThan(20);
  }, 60_000);

  it('loses no entry of the disk tier when power fails and unsynced bytes are gone, torn or zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<'os' | 'disk'>('os', 'os', 'os', 'disk'), { minLength: 1, maxLength: 14 }),
        fc.nat({ max: 1_000_000 }),
        fc.nat({ max: 1_000_000 }),
        fc.constantFrom<'cut' | 'zeroes'>('cut', 'zeroes'),
        async (tiers, atJournal, atBodies, damage) => {
          const root = temporary();
          const journal = await openTestJournal(root, { files: nodeFiles });
          const paths = ['journal', 'bodies'].map((kind) => join(journalsOf(root), 'gw', `0000000000000001.${kind}`));
          const sizes = (): number[] => paths.map((path) => statSync(path).size);
          const onDisk: string[] = [];
          let durable = sizes();
          for (const [i, tier] of tiers.entries()) {
            const { leaf } = await journal.append(decision(`att_${i}`), tier);
            if (tier !== 'disk') continue;
            onDisk.push(leaf);
            durable = sizes();
          }
          // The machine goes off here: a copy of the files, with any part of what no sync covered lost.
          const after = temporary();
          cpSync(join(root, 'journal'), join(after, 'journal'), { recursive: true });
          await journal.close();
          [atJournal, atBodies].forEach((at, i) => {
            const path = (paths[i] ?? '').replace(root, after);
            const from = durable[i] ?? 0;
            const size = statSync(path).size;
            const keep = from + (at % (size - from + 1));
            if (damage === 'cut') truncateSync(path, keep);
            else writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, keep), Buffer.alloc(size - keep)]));
          });
          const again = await openTestJournal(after);
          const leaves = new Set(await leavesOf(after));
          expect(onDisk.filter((leaf) => !leaves.has(leaf))).toEqual([]);
          await again.append(decision('att_after'), 'disk');
          await again.close();
          expect(failuresOf(after)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it('does not open where it cannot write', async () => {
    const root = temporary();
    writeFileSync(join(root, 'journal'), 'a file where a folder should be');
    expect(await codeOf(openTestJournal(root))).toBe('ledger-down');
    expect(existsSync(journalsOf(root))).toBe(false);
  });
});
