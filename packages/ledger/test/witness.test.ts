import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type CheckpointSigner,
  checkCosignature,
  createWitnessKey,
  encodeAddCheckpoint,
  type LedgerTree,
  openCosigner,
  openTree,
  parseCosignatureKey,
  parseWitnessPolicy,
  splitNote,
  type VerifyReport,
  verifyLedger,
  Witness,
  type WitnessAnswer,
} from '../src/index.ts';
import { act, codeOf, journalsOf, openTestJournal, temporary, testSigner, treeOf } from './rig.ts';

const clock = { now: () => Date.UTC(2026, 10, 21) };
const seconds = Date.UTC(2026, 10, 21) / 1000;
const key = createWitnessKey('witness.test.invalid/w1');
const cosigner = openCosigner('witness.test.invalid/w1', key.privatePem);
const other = createWitnessKey('witness.test.invalid/w2');
const signer = testSigner();
/** A policy names one key of a log a line. */
const firstKey = signer.verifierKey.split('\n')[0] ?? '';

function openWitness(root: string, logs: readonly string[] = [signer.verifierKey]): Witness {
  return new Witness({ directory: join(root, 'witness'), cosigner, logs, clock });
}

/** A tree of some actions; `from` tells one history from another. */
async function growTree(
  root: string,
  actions: number,
  from = 'att',
  by: CheckpointSigner = signer,
): Promise<LedgerTree> {
  await using journal = await openTestJournal(root);
  for (let i = 0; i < actions; i++) await act(journal, `${from}_${i}`);
  const tree = await openTree({ directory: treeOf(root), journals: journalsOf(root), signer: by, clock });
  await tree.integrate();
  return tree;
}

function submit(witness: Witness, tree: LedgerTree, oldSize: number, checkpoint = tree.head.checkpoint): WitnessAnswer {
  const proof = tree.proveConsistency(Math.min(oldSize, tree.head.size)).map((step) => Buffer.from(step, 'hex'));
  return witness.addCheckpoint(encodeAddCheckpoint({ oldSize, proof, checkpoint }));
}

describe('a cosignature', () => {
  it('is that of this text, time and key, and of nothing else', () => {
    const text = 'log\n7\nAAAA\n';
    const line = cosigner.cosign(text, seconds).trimEnd();
    const verifier = parseCosignatureKey(cosigner.verifierKey);
    expect(checkCosignature(text, [line], verifier)).toBe(seconds);
    expect(checkCosignature('log\n8\nAAAA\n', [line], verifier)).toBeNull();
    expect(checkCosignature(text, [line], parseCosignatureKey(other.verifierKey))).toBeNull();
    const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64');
    for (const at of [0, 4, 11, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const changedLine = `— ${cosigner.name} ${changed.toString('base64')}`;
      expect(checkCosignature(text, [changedLine], verifier), String(at)).toBeNull();
    }
    expect(
      checkCosignature(text, [`— ${cosigner.name} ${bytes.subarray(0, 75).toString('base64')}`], verifier),
    ).toBeNull();
    // The log's own kind of key is no witness, and the other way round.
    expect(() => parseCosignatureKey(signer.verifierKey)).toThrow(/witness/);
  });
});

describe('a policy of witnesses', () => {
  const w = (name: string): string => `witness ${name} ${createWitnessKey(`w.invalid/${name}`).verifierKey}`;

  it('says which of them are enough', () => {
    const text = [
      '# comment',
      `log ${firstKey} https://log.invalid/`,
      `${w('a')} http://127.0.0.1:1/`,
      w('b'),
      w('c'),
      'group two 2 a b',
      'group  all-of\tall two c ',
      'quorum all-of',
      '',
    ].join('\n');
    const policy = parseWitnessPolicy(text);
    expect(policy.logs).toEqual([firstKey]);
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['a', 'http://127.0.0.1:1/'],
      ['b', null],
      ['c', null],
    ]);
    expect(policy.satisfied(new Set(['a', 'b', 'c']))).toBe(true);
    for (const few of [['a', 'c'], ['a', 'b'], ['c'], []]) expect(policy.satisfied(new Set(few))).toBe(false);
    expect(parseWitnessPolicy('quorum none').satisfied(new Set())).toBe(true);
    expect(parseWitnessPolicy(`${w('a')}\n${w('b')}\ngroup g any a b\nquorum g`).satisfied(new Set(['b']))).toBe(true);
  });

  it('is refused whole when a line could mean something else', () => {
    const a = w('a');
    const wrong = [
      '',
      a,
      'quorum a',
      `${a}\nquorum a\nquorum a`,
      `${a}\n${a}\nquorum a`,
      `${a}\n${a.replace('witness a', 'witness b')}\nquorum a`,
      `${a}\ngroup g 2 a\nquorum g`,
      `${a}\ngroup g 0 a\nquorum g`,
      `${a}\ngroup g any\nquorum g`,
      `${a}\ngroup g any b\nquorum g`,
      `${a}\ngroup g any a\ngroup h any a\nquorum g`,
      `${a}\ngroup none any a\nquorum none`,
      `${a} ftp://x\nquorum a`,
      `${a} http://x extra\nquorum a`,
      `witness a ${signer.verifierKey}\nquorum a`,
      `${a}\nquorum a\nnoise`,
      `${a}\r\nquorum a`,
    ];
    for (const text of wrong) expect(() => parseWitnessPolicy(text), text).toThrow();
  });
});

describe('a witness', () => {
  it('cosigns heads that grow out of each other, and remembers the last over a restart', async () => {
    const root = temporary();
    await using tree = await growTree(root, 3);
    {
      using witness = openWitness(root);
      const answer = submit(witness, tree, 0);
      expect(answer.status).toBe(200);
      const { text } = splitNote(tree.head.checkpoint);
      expect(checkCosignature(text, [answer.body.trimEnd()], parseCosignatureKey(key.verifierKey))).toBe(seconds);
      expect(() => openWitness(root)).toThrow(/held by another/);
    }
    const old = tree.head.checkpoint;
    const before = tree.head.size;
    await using journal = await openTestJournal(root, { writer: 'cp' });
    await act(journal, 'att_more');
    await tree.integrate();
    using witness = openWitness(root);
    expect(submit(witness, tree, 0)).toEqual({ status: 409, type: 'text/x.tlog.size', body: `${before}\n` });
    expect(submit(witness, tree, before).status).toBe(200);
    // An old head, with whatever old size: this witness has seen more.
    expect(submit(witness, tree, 0, old).status).toBe(409);
    expect(submit(witness, tree, before, old).status).toBe(409);
    expect(witness.latest(signer.name)).toBe(tree.head.checkpoint);
  });

  it('refuses what is no request, no log of its own, or not signed by it', async () => {
    const root = temporary();
    await using tree = await growTree(root, 2);
    using witness = openWitness(root);
    const { checkpoint, size } = tree.head;
    for (const body of ['', 'old', `old -1\n\n${checkpoint}`, `old 01\n\n${checkpoint}`, `old 0\nx\n\n${checkpoint}`]) {
      expect(witness.addCheckpoint(body).status, body).toBe(400);
    }
    const many = Array.from({ length: 64 }, () => Buffer.alloc(32));
    expect(witness.addCheckpoint(encodeAddCheckpoint({ oldSize: 0, proof: many, checkpoint })).status).toBe(400);
    expect(submit(witness, tree, size + 1).status).toBe(400);
    expect(submit(witness, tree, 0, checkpoint.replaceAll('local.test', 'other.test')).status).toBe(404);
    expect(submit(witness, tree, 0, checkpoint.replace(`\n${size}\n`, `\n${size + 1}\n`)).status).toBe(403);
    expect(witness.latest(signer.name)).toBeNull();
  });

  it('never cosigns a fork, though the log itself signed both sides', async () => {
    const [left, right] = [temporary(), temporary()];
    await using seen = await growTree(left, 3);
    await using forked = await growTree(right, 3, 'other');
    await using longer = await growTree(temporary(), 5, 'other');
    using witness = openWitness(left);
    expect(submit(witness, seen, 0).status).toBe(200);
    const { size } = seen.head;
    expect(submit(witness, forked, size).status).toBe(409);
    expect(submit(witness, longer, size).status).toBe(422);
    expect(witness.latest(signer.name)).toBe(seen.head.checkpoint);
  });
});

describe('the part witnesses', () => {
  const policyText = `witness w1 ${key.verifierKey}\nwitness w2 ${other.verifierKey}\n`;
  const any = parseWitnessPolicy(`${policyText}group g any w1 w2\nquorum g`);
  const both = parseWitnessPolicy(`${policyText}group g all w1 w2\nquorum g`);

  function verify(root: string, witnesses: typeof any | null): VerifyReport {
    return verifyLedger({
      journals: null,
      tree: treeOf(root),
      verifierKey: signer.verifierKey,
      witnesses,
      parts: ['witnesses'],
    });
  }
  const codes = (report: VerifyReport): string[] =>
    report.parts.flatMap(({ failures }) => failures.map(({ code }) => code));

  async function cosigned(root: string, actions = 3): Promise<void> {
    await using tree = await growTree(root, actions);
    using witness = openWitness(root);
    await tree.keepCosigned(tree.head.checkpoint + submit(witness, tree, 0).body);
  }

  it('says unwitnessed when the reader believes nobody, which is not as good as ok', async () => {
    const root = temporary();
    await cosigned(root);
    const report = verify(root, null);
    expect([report.ok, report.open]).toEqual([true, true]);
    expect(report.parts[0]?.notes.join()).toContain('unwitnessed');
  });

  it('counts a quorum of those who are believed', async () => {
    const root = temporary();
    await cosigned(root);
    const report = verify(root, any);
    expect([report.ok, report.open, report.parts[0]?.counts['cosignatures']]).toEqual([true, false, 1]);
    expect(codes(verify(root, both))).toEqual(['quorum']);
    rmSync(join(treeOf(root), 'cosigned'));
    expect(codes(verify(root, any))).toEqual(['quorum']);
    expect(verify(root, parseWitnessPolicy('quorum none')).open).toBe(true);
  });

  it('finds what was rewritten and signed again with the log key', async () => {
    const root = temporary();
    await cosigned(root);
    const forged = temporary();
    await (await growTree(forged, 4, 'other')).close();
    const note = readFileSync(join(treeOf(root), 'cosigned'));
    writeFileSync(join(treeOf(forged), 'cosigned'), note);
    expect(codes(verify(forged, any))).toEqual(['fork']);
    const shorter = temporary();
    await (await growTree(shorter, 1)).close();
    writeFileSync(join(treeOf(shorter), 'cosigned'), note);
    expect(codes(verify(shorter, any))).toEqual(['shortened']);
    writeFileSync(join(treeOf(root), 'cosigned'), note.toString().replace('\n9\n', '\n8\n'));
    expect(codes(verify(root, any))).toEqual(['signature']);
  });

  it('keeps no head that this log did not sign, and proves under one that was cosigned', async () => {
    const root = temporary();
    await using tree = await growTree(root, 3);
    using witness = openWitness(root);
    const note = tree.head.checkpoint + submit(witness, tree, 0).body;
    expect(await codeOf(tree.keepCosigned(note.replace('\n9\n', '\n8\n')))).toBe('ledger-note');
    await tree.keepCosigned(note);
    await using journal = await openTestJournal(root, { writer: 'cp' });
    await act(journal, 'att_more');
    await tree.integrate();
    expect(tree.prove(2).checkpoint).toBe(note);
    expect(tree.prove(9).checkpoint).toBe(tree.head.checkpoint);
  });
});
