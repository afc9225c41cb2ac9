import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  createCheckpointKey,
  createWitnessKey,
  encodeReceipt,
  openCosigner,
  openTree,
  parseReceipt,
  parseWitnessPolicy,
  splitNote,
  verifyReceipt,
} from '../src/index.ts';
import { act, journalsOf, openTestJournal, origin, temporary, testSigner, tickingClock, treeOf } from './rig.ts';

const signer = testSigner();
const witnesses = ['w1', 'w2', 'w3'].map((name) => openCosigner(name, createWitnessKey(name).privatePem));
const lines = witnesses.map(({ name, verifierKey }) => `witness ${name} ${verifierKey}`);
const policy = parseWitnessPolicy([...lines, 'group two 2 w1 w2 w3', 'quorum two'].join('\n'));

async function receipts(): Promise<{ receipt: string; index: number; leaf: string }[]> {
  const root = temporary();
  await using journal = await openTestJournal(root);
  for (let i = 0; i < 5; i++) await act(journal, `att_${i}`);
  await using tree = await openTree({
    directory: treeOf(root),
    journals: journalsOf(root),
    signer,
    clock: tickingClock(),
  });
  await tree.integrate();
  const { text } = splitNote(tree.head.checkpoint);
  await tree.keepCosigned(
    tree.head.checkpoint +
      witnesses
        .slice(0, 2)
        .map((one) => one.cosign(text, 1_790_000_000))
        .join(''),
  );
  return Array.from({ length: tree.head.size }, (_, index) => {
    const { receipt, leaf } = tree.prove(index);
    return { receipt, index, leaf };
  });
}

describe('a receipt', () => {
  it('proves each entry to who has the public key, and says who saw it', async () => {
    for (const { receipt, index, leaf } of await receipts()) {
      const alone = verifyReceipt(receipt, signer.verifierKey, null);
      expect(alone).toMatchObject({ ok: true, index, leaf, size: 15, witnessed: false, witnesses: [] });
      const seen = verifyReceipt(receipt, signer.verifierKey, policy);
      expect(seen).toMatchObject({
        ok: true,
        witnessed: true,
        witnesses: [{ name: 'w1', seconds: 1_790_000_000 }, { name: 'w2' }],
      });
      expect(encodeReceipt(parseReceipt(receipt))).toBe(receipt);
    }
  });

  it('fails when any line of it is another, or too few have seen it', async () => {
    const [first, second] = await receipts();
    if (first === undefined || second === undefined) throw new Error('there are receipts');
    const why = (text: string, key = signer.verifierKey, by = null as typeof policy | null): string => {
      const verdict = verifyReceipt(text, key, by);
      return verdict.ok ? 'ok' : verdict.why;
    };
    const { receipt } = first;
    const all = receipt.split('\n');
    expect(why(receipt)).toBe('ok');
    expect(why(receipt.replace(all[1] ?? '', second.receipt.split('\n')[1] ?? ''))).toMatch(/path/);
    expect(why(receipt.replace('index 0', 'index 1'))).toMatch(/path/);
    expect(why(receipt.replace('index 0', 'index 00'))).toMatch(/no proof/);
    expect(why(receipt.replace(all[4] ?? '', all[3] ?? ''))).toMatch(/path/);
    expect(why(receipt.replace(all[4] ?? '', `${all[4]}\n${all[4]}`))).toMatch(/path/);
    expect(why(receipt.replace(`\n${all[4]}`, ''))).toMatch(/path/);
    expect(why(receipt.replace('tlog-proof@v1', 'tlog-proof@v2'))).toMatch(/no proof/);
    expect(why(receipt.replace('\n15\n', '\n16\n'))).toMatch(/signature/);
    expect(why(receipt, createCheckpointKey(origin).verifierKey)).toMatch(/no signature/);
    expect(why(receipt.replace(/— w2 .*\n/, ''), undefined, policy)).toMatch(/too few/);
    expect(why(receipt.replace(/(— w2 .*)\n/, '— w2 AAAA\n'), undefined, policy)).toMatch(/too few/);
    expect(why('')).toMatch(/no proof/);
  });

  it('unpacks no more than an entry may have, and takes nothing that is none', async () => {
    const [first] = await receipts();
    const all = (first?.receipt ?? '').split('\n');
    const withExtra = (bytes: Buffer): string =>
      [all[0], `extra ${bytes.toString('base64')}`, ...all.slice(2)].join('\n');
    const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
    for (const extra of [bomb, Buffer.from('not deflate'), Buffer.of(7)]) {
      expect(verifyReceipt(withExtra(extra), signer.verifierKey, null)).toMatchObject({
        ok: false,
        why: expect.stringContaining('no entry'),
      });
    }
  });
});
