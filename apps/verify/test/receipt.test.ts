import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWitnessKey, type EntryDraft, encodeReceipt, openCosigner, readJournal } from '@cordon/ledger';
import { expect, it } from 'vitest';
import { recordLedger } from '../../../test/support/recorded-ledger.ts';

it('a receipt of a real decision out of a million entries, with two cosignatures, has at most 2 KiB', async () => {
  const home = mkdtempSync(join(tmpdir(), 'cordon-receipt-'));
  try {
    // Ids and digests as they really are: nothing in them repeats.
    const noise = (count: number): string => randomBytes(count).toString('hex').slice(0, count);
    const forge = (draft: EntryDraft): EntryDraft => {
      const data = { ...draft.data, attempt: `att_${noise(26)}`, payload: `sha256:${noise(64)}` };
      return draft.type === 'decision' ? { ...draft, data } : draft;
    };
    await recordLedger({ home, decisions: 6, forge });
    const text = `local.0123456789abcdef/ledger\n1048576\n${Buffer.alloc(32, 1).toString('base64')}\n`;
    const names = ['a', 'b'].map((name) => `witness.example.org/${name}`);
    const note = [
      `${text}\n`,
      `— local.0123456789abcdef/ledger ${Buffer.alloc(68, 2).toString('base64')}\n`,
      ...names.map((name) => openCosigner(name, createWitnessKey(name).privatePem).cosign(text, 1_790_000_000)),
    ].join('');
    const path = Array.from({ length: 20 }, (_, i) => Buffer.alloc(32, i));
    let largest = 0;
    for await (const { bytes } of readJournal(join(home, 'ledger', 'journal', 'local'), 'gw')) {
      largest = Math.max(largest, encodeReceipt({ entry: bytes, index: 987_654, path, checkpoint: note }).length);
    }
    expect(largest).toBeGreaterThan(1500);
    expect(largest).toBeLessThanOrEqual(2048);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
