import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createCheckpointKey,
  createWitnessKey,
  headData,
  infrastructureName,
  type LedgerTree,
  openCosigner,
  openJournal,
  openSigner,
  openTree,
  parseWitnessPolicy,
  splitNote,
  toLoggedHead,
  verifyLedger,
  verifyReceiptThrough,
} from '../src/index.ts';
import { act, journalsOf, openTestJournal, temporary, testSigner, tickingClock, treeOf } from './rig.ts';

const signer = testSigner();
const hostName = 'test.invalid/ledger';
const hostKey = createCheckpointKey(hostName);
const hostSigner = openSigner(hostName, hostKey.privatePem);
const witness = openCosigner('w1', createWitnessKey('w1').privatePem);
const policy = parseWitnessPolicy(`witness w1 ${witness.verifierKey}\nquorum w1\n`);
const keys = { log: signer.verifierKey, infrastructure: hostKey.verifierKey };

/** A tenant's tree and the host's own; nobody witnesses the first. */
class Rig implements AsyncDisposable {
  readonly root = temporary();
  readonly tenant: LedgerTree;
  readonly host: LedgerTree;
  #attempts = 0;

  private constructor(root: string, tenant: LedgerTree, host: LedgerTree) {
    this.root = root;
    this.tenant = tenant;
    this.host = host;
  }

  static async open(): Promise<Rig> {
    const root = temporary();
    const clock = tickingClock();
    const journals = join(root, 'journal', infrastructureName);
    const tenant = await openTree({ directory: treeOf(root), journals: journalsOf(root), signer, clock });
    const host = await openTree({ directory: hostTreeOf(root), journals, signer: hostSigner, clock });
    return new Rig(root, tenant, host);
  }

  async act(): Promise<void> {
    await using journal = await openTestJournal(this.root);
    await act(journal, `att_${this.#attempts++}`);
    await this.tenant.integrate();
  }

  async log(data = headData(this.tenant)): Promise<void> {
    const directory = join(this.root, 'journal', infrastructureName);
    const clock = tickingClock();
    await using journal = await openJournal({ directory, tenant: infrastructureName, writer: 'cp', clock });
    await journal.append({ session: null, type: 'head', data }, 'os');
    await this.host.integrate();
  }

  async cosign(tree = this.host): Promise<void> {
    const { checkpoint } = tree.head;
    await tree.keepCosigned(checkpoint + witness.cosign(splitNote(checkpoint).text, 1_790_000_000));
  }

  verify(infrastructure: { tree: string; verifierKey: string } | null = this.place) {
    const { parts } = verifyLedger({
      ...{ journals: journalsOf(this.root), tree: treeOf(this.root), verifierKey: signer.verifierKey },
      ...{ witnesses: policy, infrastructure, parts: ['heads', 'witnesses'] },
    });
    const [heads, witnesses] = parts;
    if (heads === undefined || witnesses === undefined) throw new Error('both parts run');
    return {
      heads,
      witnesses,
      codes: parts.flatMap(({ part, failures }) => failures.map(({ code }) => `${part} ${code}`)),
    };
  }

  get place() {
    return { tree: hostTreeOf(this.root), verifierKey: hostKey.verifierKey };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tenant.close();
    await this.host.close();
  }
}

const hostTreeOf = (root: string): string => join(root, 'tree', infrastructureName);

describe('the tree of the infrastructure', () => {
  it('logs heads, and its witnesses have seen what they cover', async () => {
    await using rig = await Rig.open();
    await rig.act();
    await rig.log();
    expect(rig.host.entries(0, 1).map(({ entry }) => toLoggedHead(entry))).toEqual([
      { log: signer.name, size: 3, root: rig.tenant.head.root },
    ]);
    expect(rig.verify().codes).toEqual(['witnesses quorum']);
    await rig.cosign();
    await rig.act();
    const { heads, witnesses, codes } = rig.verify();
    expect(codes).toEqual([]);
    expect([heads.counts['heads'], heads.notes, heads.open]).toEqual([
      1,
      [expect.stringContaining('last 4 entries')],
      false,
    ]);
    expect([witnesses.counts['cosignedSize'], witnesses.open]).toEqual([3, false]);
    expect(witnesses.notes.join()).toContain('the last 4 entries came after it');
  });

  it('is missed where it is not, and where it has logged nothing of this tree', async () => {
    await using rig = await Rig.open();
    await rig.act();
    expect(rig.verify(null).heads).toMatchObject({ ok: true, open: true });
    await rig.log({ ...headData(rig.tenant), log: 'other.invalid/ledger' });
    await rig.cosign();
    expect(rig.verify().heads).toMatchObject({ ok: true, open: true });
    // Cosigned is not enough: this tree must be in it.
    expect(rig.verify().codes).toEqual(['witnesses quorum']);
  });

  it.each([
    ['a size that is less than before', { size: 1 }, ['fork', 'rollback']],
    ['a size that the tree does not have', { size: 99 }, ['behind']],
    ['another root', { root: `sha256:${'0'.repeat(64)}` }, ['fork']],
  ])('names %s', async (_, change, expected) => {
    await using rig = await Rig.open();
    await rig.act();
    await rig.log();
    await rig.log({ ...headData(rig.tenant), ...change });
    await rig.cosign();
    const { codes } = rig.verify();
    for (const part of ['heads', 'witnesses']) {
      expect(codes.filter((code) => code.startsWith(part)).sort()).toEqual(expected.map((code) => `${part} ${code}`));
    }
  });

  it('is itself believed only under its own key, whole and cosigned', async () => {
    await using rig = await Rig.open();
    await rig.act();
    await rig.log();
    await rig.cosign();
    const verifierKey = createCheckpointKey(hostName).verifierKey;
    expect(rig.verify({ ...rig.place, verifierKey }).codes).toEqual([
      'heads signature',
      'witnesses signature',
      'witnesses signature',
    ]);
    const cosigned = join(rig.place.tree, 'cosigned');
    const note = readFileSync(cosigned, 'utf8');
    const without = note.split('\n').toSpliced(-2, 1).join('\n');
    writeFileSync(cosigned, without);
    expect(rig.verify().codes).toEqual(['witnesses quorum']);
    // A head that was cosigned, and is of a longer history than what is here.
    const longer = hostSigner.sign(splitNote(note).text.replace('\n1\n', '\n5\n'));
    writeFileSync(cosigned, longer + witness.cosign(splitNote(longer).text, 1_790_000_000));
    expect(rig.verify().codes).toEqual(['witnesses shortened']);
    writeFileSync(cosigned, note);
    const bundle = join(rig.place.tree, 'tile/entries/000.p/1');
    const entries = readFileSync(bundle, 'latin1');
    writeFileSync(bundle, entries.replace('"size":3', '"size":2'), 'latin1');
    expect(rig.verify().codes).toEqual(['heads root', 'witnesses root']);
    rmSync(join(rig.place.tree, 'tile'), { recursive: true });
    writeFileSync(cosigned, note);
    expect(rig.verify().codes).toEqual(['heads bundle', 'witnesses bundle']);
    rmSync(cosigned);
    expect(existsSync(join(treeOf(rig.root), 'cosigned'))).toBe(false);
    expect(rig.verify().codes).toEqual(['heads bundle', 'witnesses quorum']);
  });
});

describe('two receipts', () => {
  it('lead from an entry to a head of the infrastructure that witnesses saw', async () => {
    await using rig = await Rig.open();
    await rig.act();
    await rig.log();
    await rig.cosign();
    const { size } = rig.tenant.head;
    await rig.act();
    const entry = rig.tenant.prove(1, size).receipt;
    const head = rig.host.prove(0).receipt;
    const through = verifyReceiptThrough({ entry, head }, keys, policy);
    expect(through).toMatchObject({ ok: true, index: 1, size, witnessed: true, witnesses: [{ name: 'w1' }] });
    expect(verifyReceiptThrough({ entry, head }, keys, null)).toMatchObject({ ok: true, witnessed: false });
  });

  it('lead nowhere when they are not of one head', async () => {
    await using rig = await Rig.open();
    await rig.act();
    await rig.log();
    await rig.log({ ...headData(rig.tenant), log: 'other.invalid/ledger' });
    await rig.log({ ...headData(rig.tenant), root: `sha256:${'0'.repeat(64)}` });
    await rig.log({ ...headData(rig.tenant), size: rig.tenant.head.size + 1 });
    await using journal = await openJournal({
      ...{ directory: join(rig.root, 'journal', infrastructureName), tenant: infrastructureName, writer: 'x' },
      clock: tickingClock(),
    });
    await journal.append({ session: null, type: 'heartbeat', data: headData(rig.tenant) }, 'os');
    await rig.host.integrate();
    await rig.cosign();
    const { size } = rig.tenant.head;
    await rig.act();
    const ok = (at: number, under: number, use = keys): boolean =>
      verifyReceiptThrough({ entry: rig.tenant.prove(1, under).receipt, head: rig.host.prove(at).receipt }, use, policy)
        .ok;
    expect(ok(0, size)).toBe(true);
    // Nothing else that the infrastructure has on record speaks of this head, however much it looks like it.
    for (let at = 1; at < rig.host.head.size; at++) expect(ok(at, size), `entry ${at}`).toBe(false);
    for (const under of [size - 1, size + 3]) expect(ok(0, under), `under ${under}`).toBe(false);
    expect(ok(0, size, { ...keys, log: testSigner().verifierKey })).toBe(false);
    expect(ok(0, size, { ...keys, infrastructure: createCheckpointKey(hostName).verifierKey })).toBe(false);
    expect(() => rig.tenant.prove(1, size + 9)).toThrow(/the tree has 7 entries/);
    expect(() => rig.tenant.prove(1, 1)).toThrow(/none at 1/);
  });
});
