import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { JournalArchive, readJournal, verifyLedger } from '../src/index.ts';
import { bodyKeys } from './body-key.ts';
import { journalsOf, openTestJournal, temporary } from './rig.ts';

/** `CORDON_CRASH_POINTS=1000` runs the long campaign. */
const points = Number(process.env['CORDON_CRASH_POINTS'] ?? 20);

/** Lets a writer work for a while, kills it, and returns what it had answered for. */
async function runAndKill(root: string, delayMs: number): Promise<Map<number, string>> {
  const child = spawn(
    process.execPath,
    ['--conditions=cordon-source', join(import.meta.dirname, 'crash-writer.ts'), journalsOf(root)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), delayMs));
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
  expect(lines.shift()).toBe('ready');
  return new Map(lines.map((line) => [Number(line.split(' ')[0]), line.split(' ')[1] ?? '']));
}

describe('a writer that is killed', () => {
  it(
    `has lost nothing that it answered for, ${points} times`,
    async () => {
      const root = temporary();
      const answered = new Map<number, string>();
      for (let i = 0; i < points; i++) {
        for (const [wseq, leaf] of await runAndKill(root, 3 + ((i * 37) % 60))) answered.set(wseq, leaf);
      }
      const journal = await openTestJournal(root);
      await journal.close();
      const leaves = new Map<number, string>();
      const archive = new JournalArchive(journalsOf(root), bodyKeys);
      let opened = 0;
      for await (const { entry, leaf, position } of readJournal(journalsOf(root), 'gw')) {
        leaves.set(entry.wseq, leaf);
        if (entry.type !== 'decision') continue;
        // The body of what was answered for is there too, sealed, and opens.
        expect(entry.seal?.key).toBe('k_ses_a');
        const { intent } = JSON.parse(archive.body(position, entry).toString()) as { intent: { attempt: string } };
        if (intent.attempt === entry.data['attempt']) opened += 1;
      }
      const lost = [...answered].filter(([wseq, leaf]) => leaves.get(wseq) !== leaf);
      expect(lost).toEqual([]);
      expect(answered.size).toBeGreaterThan(points * 3);
      const report = verifyLedger({ journals: journalsOf(root), tree: null, verifierKey: null });
      expect(report.parts.flatMap(({ failures }) => failures)).toEqual([]);
      const complete = report.parts.find(({ part }) => part === 'complete');
      expect(complete?.counts['recoveries']).toBe(points);
      expect(complete?.counts['open']).toBe(0);
      expect(opened).toBe(complete?.counts['decisions']);
    },
    30_000 + points * 1000,
  );
});
