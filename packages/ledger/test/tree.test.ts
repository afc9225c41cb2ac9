import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerProof } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import {
  type CheckpointSigner,
  createCheckpointKey,
  type LedgerTree,
  openSigner,
  openTree,
  readJournal,
  verifyLedger,
  verifyProof,
} from '../src/index.ts';
import { openCheckpoint } from '../src/tree/checkpoint.ts';
import { checkConsistency } from '../src/tree/merkle.ts';
import { parseVerifierKey } from '../src/tree/note.ts';
import {
  act,
  codeOf,
  decision,
  journalsOf,
  openTestJournal,
  origin,
  temporary,
  testSigner,
  tickingClock,
  treeOf,
} from './rig.ts';

const signer = testSigner();
const openTestTree = (root: string, by: CheckpointSigner = signer): Promise<LedgerTree> =>
  openTree({ directory: treeOf(root), journals: journalsOf(root), signer: by, clock: tickingClock() });

function expectSound(root: string, checkpoints: readonly string[] = []): void {
  const options = { journals: journalsOf(root), tree: treeOf(root), verifierKey: signer.verifierKey, checkpoints };
  expect(verifyLedger(options).parts.flatMap(({ failures }) => failures)).toEqual([]);
}

const rootOf = (note: string): { size: number; root: Buffer } =>
  openCheckpoint(note, parseVerifierKey(signer.verifierKey));

describe('LedgerTree', () => {
  it('writes no file again that a head has signed, so a disk that is full takes nothing away', async () => {
    const root = temporary();
    await using gateway = await openTestJournal(root);
    await using tree = await openTestTree(root);
    for (let i = 0; i < 100; i++) await act(gateway, `att_${i}`);
    await tree.integrate();
    const written = (): Map<string, bigint> =>
      new Map(
        readdirSync(join(treeOf(root), 'tile'), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ parentPath, name }) => join(parentPath, name))
          .map((path) => [path, statSync(path, { bigint: true }).ctimeNs]),
      );
    const before = written();
    await act(gateway, 'att_last');
    await tree.integrate();
    const after = written();
    const kept = [...before.keys()].filter((path) => after.has(path));
    // One level up, the part of it that was there before: its name and content are the same.
    expect(kept.some((path) => path.includes('tile/1/'))).toBe(true);
    expect(kept.filter((path) => before.get(path) !== after.get(path))).toEqual([]);
    expectSound(root);
  });

  it('takes in all writers, proves every entry, and every head from every other', async () => {
    const root = temporary();
    await using gateway = await openTestJournal(root);
    await using control = await openTestJournal(root, { writer: 'cp', segmentBytes: 4000 });
    await using tree = await openTestTree(root);
    expect(tree.head.size).toBe(0);
    const heads = [tree.head.checkpoint];
    const indexes: number[] = [];
    // Sizes on both sides of the first tile's border, and one far behind it.
    for (const acts of [1, 20, 63, 1, 1, 100, 90]) {
      for (let i = 0; i < acts; i++) await act(gateway, `att_${heads.length}_${i}`);
      await control.append({ session: 'ses_a', type: 'admin', data: { act: 'test' } }, 'os');
      const { records, problems, more } = await tree.integrate();
      expect([problems, more]).toEqual([[], false]);
      indexes.push(...records.map(({ index }) => index));
      heads.push(tree.head.checkpoint);
    }
    const { size } = tree.head;
    expect(size).toBe(276 * 3 + 7);
    expect(indexes).toEqual(Array.from({ length: size }, (_, i) => i));
    expect([tree.integratedWseq('gw'), tree.integratedWseq('cp'), tree.integratedWseq('no')]).toEqual([276 * 3, 7, 0]);
    for (let index = 0; index < size; index += index < 260 ? 1 : 41) {
      expect(verifyProof(tree.prove(index), signer.verifierKey)).toMatchObject({ ok: true, size });
    }
    for (const older of heads.map(rootOf)) {
      const path = tree.proveConsistency(older.size).map((step) => Buffer.from(step, 'hex'));
      expect(checkConsistency(older, rootOf(tree.head.checkpoint), path)).toBe(true);
    }
    expectSound(root, heads);
  });

  it('gives back the entries of the journals, in its own order', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    for (let i = 0; i < 100; i++) await act(journal, `att_${i}`);
    await using tree = await openTestTree(root);
    await tree.integrate();
    const leaves: string[] = [];
    for await (const { leaf } of readJournal(journalsOf(root), 'gw')) leaves.push(leaf);
    expect(tree.entries(0, 1000).map(({ leaf }) => leaf)).toEqual(leaves);
    expect(tree.entries(254, 4).map(({ index, entry }) => [index, entry.wseq])).toEqual([
      [254, 255],
      [255, 256],
      [256, 257],
      [257, 258],
    ]);
    expect(tree.entries(299, 10)).toHaveLength(1);
    expect(tree.entries(300, 10)).toEqual([]);
    for (const index of [-1, 300, 1.5]) expect(() => tree.prove(index)).toThrow(/none at/);
    expect(() => tree.proveConsistency(301)).toThrow(/none at/);
  });

  it('goes on where it stopped, also without the positions file, and leaves no partial tile behind', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 30; i++) await act(journal, `att_${round}_${i}`);
      await using tree = await openTestTree(root);
      expect(tree.head.size).toBe(round * 90);
      expect((await tree.integrate()).records).toHaveLength(90);
      expect((await tree.integrate()).records).toHaveLength(0);
      await tree.close();
      if (round % 2 === 0) rmSync(join(treeOf(root), 'positions'), { recursive: true });
    }
    expect(readdirSync(join(treeOf(root), 'tile', '0')).sort()).toEqual(['000', '001', '002.p']);
    expect(readdirSync(join(treeOf(root), 'tile', 'entries')).sort()).toEqual(['000', '001', '002.p']);
    expect(readdirSync(join(treeOf(root), 'tile', '0', '002.p'))).toEqual(['28']);
    expect(readdirSync(join(treeOf(root), 'positions'))).toEqual(['540.json']);
    expectSound(root);
  });

  it('stands after a crash between any two of its files, and reaches the same entries again', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    for (let i = 0; i < 80; i++) await act(journal, `att_${i}`);
    const tree = await openTestTree(root);
    await tree.integrate();
    await tree.close();
    const before = temporary();
    cpSync(treeOf(root), treeOf(before), { recursive: true });
    for (let i = 80; i < 100; i++) await act(journal, `att_${i}`);
    const later = await openTestTree(root);
    await later.integrate();
    await later.close();
    await journal.close();
    // What the second integration wrote, in every possible prefix: the new files without the checkpoint, half ones too.
    const files = readdirSync(treeOf(root), { recursive: true, encoding: 'utf8' });
    const added = files.filter((path) => /tile|positions/.test(path) && !existsSync(join(treeOf(before), path)));
    const written = added.filter((path) => statSync(join(treeOf(root), path)).isFile());
    expect(written.length).toBeGreaterThan(3);
    for (let count = 0; count <= written.length; count++) {
      const crashed = temporary();
      cpSync(join(root, 'journal'), join(crashed, 'journal'), { recursive: true });
      cpSync(treeOf(before), treeOf(crashed), { recursive: true });
      written.slice(0, count).forEach((path, i) => {
        const bytes = readFileSync(join(treeOf(root), path));
        cpSync(join(treeOf(root), path), join(treeOf(crashed), path), { recursive: true });
        if (i === count - 1) writeFileSync(join(treeOf(crashed), path), bytes.subarray(0, bytes.length / 2));
      });
      writeFileSync(join(treeOf(crashed), 'checkpoint.new'), 'half a che');
      await using again = await openTestTree(crashed);
      expect(again.head.size).toBe(240);
      expect((await again.integrate()).size).toBe(300);
      expect(again.head.root).toBe(later.head.root);
      expectSound(crashed, [later.head.checkpoint]);
    }
  });

  it('takes a large backlog in several bites', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    const text = 'x'.repeat(30_000);
    for (let i = 0; i < 400; i++) await journal.append({ session: null, type: 'fault', data: { text, i } }, 'os');
    await using tree = await openTestTree(root);
    const sizes: number[] = [];
    for (let more = true; more; ) {
      const step = await tree.integrate();
      sizes.push(step.size);
      ({ more } = step);
    }
    expect(sizes.length).toBeGreaterThan(1);
    expect(sizes.at(-1)).toBe(400);
    expectSound(root);
  });

  it('tries again after a failure as if it had not tried', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    await act(journal, 'att_1');
    await using tree = await openTestTree(root);
    await tree.integrate();
    await act(journal, 'att_2');
    // A folder where a file must go: writing the tile fails.
    const blocked = join(treeOf(root), 'tile', '0', '000.p', '6');
    cpSync(join(treeOf(root), 'positions'), blocked, { recursive: true });
    expect(await codeOf(tree.integrate())).toBe('EISDIR');
    expect(tree.head.size).toBe(3);
    rmSync(blocked, { recursive: true });
    const { records } = await tree.integrate();
    expect(records.map(({ index, entry }) => [index, entry.wseq])).toEqual([
      [3, 4],
      [4, 5],
      [5, 6],
    ]);
    expectSound(root);
  });

  it('reports a journal that has lost what the tree holds, and takes in the others', async () => {
    const root = temporary();
    await using gateway = await openTestJournal(root);
    const control = await openTestJournal(root, { writer: 'cp' });
    await act(control, 'att_1');
    await control.close();
    const tree = await openTestTree(root);
    await tree.integrate();
    await tree.close();
    rmSync(join(journalsOf(root), 'cp'), { recursive: true });
    await act(gateway, 'att_2');
    await using again = await openTestTree(root);
    const { records, problems } = await again.integrate();
    expect(records.map(({ entry }) => entry.writer)).toEqual(['gw', 'gw', 'gw']);
    expect(problems).toMatchObject([{ writer: 'cp', why: 'the journal is gone' }]);
  });

  it('does not open under another key, without its head, with damaged tiles, or twice', async () => {
    const root = temporary();
    const journal = await openTestJournal(root);
    for (let i = 0; i < 100; i++) await act(journal, `att_${i}`);
    await journal.close();
    const tree = await openTestTree(root);
    await tree.integrate();
    expect(await codeOf(openTestTree(root))).toBe('ledger-locked');
    await tree.close();
    const stranger = openSigner(origin, createCheckpointKey(origin).privatePem);
    expect(await codeOf(openTestTree(root, stranger))).toBe('ledger-note');
    const checkpoint = readFileSync(join(treeOf(root), 'checkpoint'));
    rmSync(join(treeOf(root), 'checkpoint'));
    expect(await codeOf(openTestTree(root))).toBe('ledger-damaged');
    writeFileSync(join(treeOf(root), 'checkpoint'), checkpoint);
    const tile = join(treeOf(root), 'tile', '1', '000.p', '1');
    const bytes = readFileSync(tile);
    writeFileSync(tile, Buffer.alloc(32));
    expect(await codeOf(openTestTree(root))).toBe('ledger-damaged');
    writeFileSync(tile, bytes);
    await (await openTestTree(root)).close();
  });
});

describe('verifyProof', () => {
  it('accepts what the tree proved, and nothing that was changed', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root);
    for (let i = 0; i < 7; i++) await journal.append(decision(`att_${i}`), 'os');
    const signer = testSigner('ed25519');
    await using tree = await openTestTree(root, signer);
    await tree.integrate();
    const proof = tree.prove(5);
    expect(verifyProof(proof, signer.verifierKey)).toEqual({ ok: true, size: 7, root: tree.head.root });
    expect(JSON.stringify(proof).length).toBeLessThan(2048);
    const other = createCheckpointKey(origin);
    const forged = openSigner(origin, other.privatePem).sign(
      proof.checkpoint.slice(0, proof.checkpoint.indexOf('\n\n') + 1),
    );
    const wrong: LedgerProof[] = [
      { ...proof, index: 4 },
      { ...proof, index: -1 },
      { ...proof, leaf: tree.prove(4).leaf },
      { ...proof, entry: { ...proof.entry, session: 'ses_b' } },
      { ...proof, path: proof.path.slice(1) },
      { ...proof, path: proof.path.map(() => 'zz') },
      { ...proof, checkpoint: proof.checkpoint.replace('\n7\n', '\n8\n') },
      { ...proof, checkpoint: forged, publicKey: other.verifierKey },
    ];
    for (const one of wrong) expect(verifyProof(one, signer.verifierKey).ok).toBe(false);
    expect(verifyProof(proof, other.verifierKey).ok).toBe(false);
    expect(verifyProof(proof, 'no key').ok).toBe(false);
  });
});

describe('a head that is kept outside of the tree', () => {
  const headOf = (root: string): string => join(root, 'keys', 'ledger-local.head');

  async function life(root: string): Promise<{ old: string; options: Parameters<typeof openTree>[0] }> {
    mkdirSync(join(root, 'keys'));
    const options = {
      directory: treeOf(root),
      journals: journalsOf(root),
      signer,
      clock: tickingClock(),
      headFile: headOf(root),
    };
    await using journal = await openTestJournal(root);
    await using tree = await openTree(options);
    for (let i = 0; i < 100; i++) await act(journal, `att_${i}`);
    await tree.integrate();
    cpSync(treeOf(root), join(root, 'old'), { recursive: true });
    const old = tree.head.checkpoint;
    for (let i = 100; i < 110; i++) await act(journal, `att_${i}`);
    await tree.integrate();
    expect(readFileSync(headOf(root), 'utf8')).toBe(tree.head.checkpoint);
    return { old, options };
  }

  it('opens what has grown since', async () => {
    const root = temporary();
    const { old, options } = await life(root);
    await (await openTree(options)).close();
    writeFileSync(headOf(root), old);
    await (await openTree(options)).close();
  });

  it('signs no new history in place of one that was taken away or put back', async () => {
    const root = temporary();
    const { options } = await life(root);
    // The journals are written anew as well, by somebody who has the disk and not the key.
    rmSync(journalsOf(root), { recursive: true });
    await using forged = await openTestJournal(root);
    for (let i = 0; i < 200; i++) await act(forged, `att_forged${i}`);
    rmSync(treeOf(root), { recursive: true });
    expect(await codeOf(openTree(options))).toBe('ledger-damaged');
    cpSync(join(root, 'old'), treeOf(root), { recursive: true });
    expect(await codeOf(openTree(options))).toBe('ledger-damaged');
    writeFileSync(headOf(root), 'nothing');
    expect(await codeOf(openTree(options))).toBe('ledger-damaged');
  });

  it('opens no longer history that was signed while the head was away', async () => {
    const root = temporary();
    const { options } = await life(root);
    for (const folder of [journalsOf(root), treeOf(root)]) rmSync(folder, { recursive: true });
    await using forged = await openTestJournal(root);
    for (let i = 0; i < 200; i++) await act(forged, `att_forged${i}`);
    const other = await openTree({ ...options, headFile: null });
    await other.integrate();
    await other.close();
    expect(await codeOf(openTree(options))).toBe('ledger-damaged');
  });
});
