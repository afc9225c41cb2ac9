import { createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addSecondKey,
  type CheckpointSigner,
  createCheckpointKey,
  createWitnessKey,
  openCosigner,
  openSigner,
  openTree,
  parseWitnessPolicy,
  splitNote,
  verifyLedger,
  verifyReceipt,
  Witness,
} from '../src/index.ts';
import { encodeCheckpoint, openCheckpoint } from '../src/tree/checkpoint.ts';
import { parseVerifierKey } from '../src/tree/note.ts';
import { parseSecondKey } from '../src/tree/second-line.ts';
import { encodeAddCheckpoint } from '../src/witness/request.ts';
import { act, codeOf, journalsOf, openTestJournal, origin, temporary, tickingClock, treeOf } from './rig.ts';

const { privatePem, verifierKey } = createCheckpointKey(origin);
const signer = openSigner(origin, privatePem);
const verifier = parseVerifierKey(verifierKey);
const [firstKey = '', secondKey = ''] = verifierKey.split('\n');
/** The same log before it had a second key. */
const [firstPem = ''] = privatePem.split(/(?<=-----END PRIVATE KEY-----\n)/);
const before = openSigner(origin, firstPem);
const root = Buffer.alloc(32, 7);
const head = signer.sign(encodeCheckpoint({ origin, size: 12, root }));
const witness = openCosigner('w1', createWitnessKey('w1').privatePem);
const policy = parseWitnessPolicy(`witness w1 ${witness.verifierKey}\nquorum w1\n`);

/** The note, or what carries it, without its second signature line. */
const stripped = (note: string): string => {
  const lines = note.split('\n');
  return lines
    .toSpliced(
      lines.findLastIndex((line) => line.startsWith(`— ${origin} `)),
      1,
    )
    .join('\n');
};
/** Another bit in the middle of the second signature. */
const corrupted = (note: string): string => {
  const lines = note.split('\n');
  const line = lines[5] ?? '';
  const at = line.length - 40;
  lines[5] = `${line.slice(0, at)}${line[at] === 'A' ? 'B' : 'A'}${line.slice(at + 1)}`;
  return lines.join('\n');
};
const codeOfHead = (note: string, age?: 'older'): string => {
  try {
    openCheckpoint(note, verifier, age);
    return 'opens';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the second signature of a head', () => {
  it('is that of C2SP tlog-cosignature with ML-DSA-44, built here anew from the specification', () => {
    const [, name = '', encoded = ''] = /^— (\S+) (\S+)$/.exec(head.split('\n')[5] ?? '') ?? [];
    const bytes = Buffer.from(encoded, 'base64');
    expect([name, bytes.length]).toEqual([origin, 4 + 8 + 2420]);
    const raw = Buffer.from(secondKey.split('+').slice(2).join('+'), 'base64');
    expect([raw[0], raw.length]).toEqual([6, 1313]);
    // SubjectPublicKeyInfo of id-ml-dsa-44 (RFC 9881).
    const spki = Buffer.concat([Buffer.from('30820532300b06096086480165030403110382052100', 'hex'), raw.subarray(1)]);
    const lengthAndName = Buffer.concat([Buffer.from([origin.length]), Buffer.from(origin)]);
    const [start, end] = [Buffer.alloc(8), Buffer.from('000000000000000c', 'hex')];
    const message = Buffer.concat([
      Buffer.from('subtree/v1\n\0'),
      lengthAndName,
      bytes.subarray(4, 12),
      lengthAndName,
      start,
      end,
      root,
    ]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    expect(verify(null, message, key, bytes.subarray(12))).toBe(true);
  });

  it('is demanded by who pins its key, and passed over by who does not', () => {
    expect(openCheckpoint(head, verifier)).toEqual({ origin, size: 12, root });
    expect(openCheckpoint(head, parseVerifierKey(firstKey)).size).toBe(12);
    expect(codeOfHead(stripped(head))).toBe('ledger-downgrade');
    expect(codeOfHead(corrupted(head))).toBe('ledger-note');
    // An older head may be without it, never with a wrong one.
    expect(codeOfHead(stripped(head), 'older')).toBe('opens');
    expect(codeOfHead(corrupted(head), 'older')).toBe('ledger-note');
    // Neither another log's line nor a cut one stands for it, and a good one beside a wrong one neither.
    const other = openSigner(origin, createCheckpointKey(origin).privatePem).sign(splitNote(head).text);
    expect(codeOfHead(`${stripped(head)}${other.split('\n')[5]}\n`)).toBe('ledger-downgrade');
    expect(codeOfHead(`${head}${corrupted(head).split('\n')[5]}\n`)).toBe('ledger-note');
    const short = Buffer.from((head.split('\n')[5] ?? '').split(' ')[2] ?? '', 'base64').subarray(0, 900);
    expect(codeOfHead(`${stripped(head)}— ${origin} ${short.toString('base64')}\n`)).toBe('ledger-note');
    // A line that is no base64 is not passed over, and neither is one with bits that nobody looks at.
    for (const line of [`— ${origin} !!!!`, `— ${origin} AAB=`, 'nonsense']) {
      expect(codeOfHead(`${stripped(head)}${line}\n`), line).toBe('ledger-note');
    }
    // The line of another size under a text that the first key has signed.
    const lie = before.sign(encodeCheckpoint({ origin, size: 13, root }));
    expect(codeOfHead(`${lie}${head.split('\n')[5]}\n`)).toBe('ledger-note');
  });

  it('lets no changed character pass, and answers to hostile ones with its own codes', () => {
    const characters = fc.constantFrom('A', '=', '+', ' ', '\n', '—', '0', '\0', '');
    fc.assert(
      fc.property(fc.nat(head.length - 1), characters, (at, character) => {
        const changed = head.slice(0, at) + character + head.slice(at + 1);
        fc.pre(changed !== head);
        expect(['ledger-note', 'ledger-downgrade']).toContain(codeOfHead(changed));
      }),
      { numRuns: 300 },
    );
  });

  it('covers heads and nothing else', () => {
    for (const text of [
      'a note\n',
      `${splitNote(head).text}extension\n`,
      encodeCheckpoint({ origin: 'x', size: 1, root }),
    ]) {
      expect(() => signer.sign(text)).toThrow(/signs its heads and nothing else/);
    }
  });

  it('has a key beside the first, of the same name', () => {
    expect(addSecondKey(privatePem)).toBe(privatePem);
    expect(openSigner(origin, addSecondKey(firstPem)).verifierKey.split('\n')).toHaveLength(2);
    const stranger = createCheckpointKey('other.invalid/ledger').verifierKey.split('\n');
    for (const bad of [
      secondKey,
      `${firstKey}\n${stranger[1]}`,
      `${firstKey}\n${firstKey}`,
      `${verifierKey}\n${secondKey}`,
      `${firstKey}\n${secondKey.slice(0, -8)}`,
    ]) {
      expect(() => parseVerifierKey(bad)).toThrow(/no verifier key/);
    }
    expect(() => openSigner(origin, `${firstPem}${firstPem}`)).toThrow(/no ML-DSA-44 key/);
    expect(() => openSigner(origin, `${privatePem}${firstPem}`)).toThrow(/one key or two/);
  });

  it('says so where Node.js cannot check it', () => {
    // What Node 22, and any Node with OpenSSL 3.0, does with such a key.
    const without = (): never => {
      throw new TypeError("The property 'key.kty' must be one of: 'RSA', 'EC', 'OKP'. Received 'AKP'");
    };
    expect(() => parseSecondKey(secondKey, without as never)).toThrow(/has no ML-DSA-44; use one with OpenSSL 3.5/);
  });
});

async function ledgerOf(home: string, by: CheckpointSigner): Promise<Parameters<typeof openTree>[0]> {
  await using journal = await openTestJournal(home);
  for (let i = 0; i < 3; i++) await act(journal, `att_${by.verifierKey.length}_${i}`);
  const clock = tickingClock();
  const options = {
    directory: treeOf(home),
    journals: journalsOf(home),
    signer: by,
    clock,
    headFile: join(home, 'head'),
  };
  await using tree = await openTree(options);
  await tree.integrate();
  await tree.keepCosigned(tree.head.checkpoint + witness.cosign(splitNote(tree.head.checkpoint).text, 1_790_000_000));
  return options;
}

function codesOf(home: string, checkpoints: readonly string[] = []): string[] {
  const options = { journals: journalsOf(home), tree: treeOf(home), verifierKey, witnesses: policy, checkpoints };
  return verifyLedger(options).parts.flatMap(({ part, failures }) => failures.map(({ code }) => `${part} ${code}`));
}

describe('a ledger whose heads are signed twice', () => {
  it.each(['checkpoint', 'cosigned', 'checkpoints.jsonl'])(
    'is not believed when the second signature is gone from %s',
    async (name) => {
      const home = temporary();
      await ledgerOf(home, signer);
      await ledgerOf(home, signer);
      const file = join(treeOf(home), name);
      const was = readFileSync(file, 'utf8');
      expect(codesOf(home)).toEqual([]);
      const part = name === 'cosigned' ? 'witnesses' : 'tree';
      const change = (by: (note: string) => string): void => {
        if (name !== 'checkpoints.jsonl') writeFileSync(file, by(was));
        // The last of them: the first could be from before there was a second key.
        else {
          const lines = was.trim().split('\n');
          const last = JSON.stringify(by(JSON.parse(lines.at(-1) ?? '') as string));
          writeFileSync(file, `${[...lines.slice(0, -1), last].join('\n')}\n`);
        }
      };
      change(stripped);
      expect(codesOf(home)).toContain(`${part} downgrade`);
      change(corrupted);
      expect(codesOf(home)).toContain(`${part} signature`);
      expect(codesOf(home)).not.toContain(`${part} downgrade`);
    },
  );

  it('gets them when it is from before there was a second key, and keeps what was cosigned', async () => {
    const home = temporary();
    const old = await ledgerOf(home, before);
    const kept = readFileSync(join(treeOf(home), 'checkpoint'), 'utf8');
    expect(codesOf(home)).toEqual(['tree downgrade', 'witnesses downgrade', 'witnesses downgrade']);
    const tree = await openTree({ ...old, signer });
    const { receipt } = tree.prove(1);
    await tree.close();
    expect(codesOf(home, [kept])).toEqual([]);
    expect(verifyReceipt(receipt, verifierKey, policy)).toMatchObject({ ok: true, witnessed: true });
    expect(verifyReceipt(stripped(receipt), firstKey, policy).ok).toBe(true);
    // Taken away again, it is not given a second time.
    writeFileSync(join(treeOf(home), 'checkpoint'), kept);
    expect(await codeOf(openTree({ ...old, signer }))).toBe('ledger-downgrade');
  });

  it('is not cosigned by a witness that pins both keys once one signature is missing', () => {
    const root = temporary();
    using one = new Witness({ directory: root, cosigner: witness, logs: [verifierKey], clock: tickingClock() });
    const ask = (checkpoint: string, oldSize: number) =>
      one.addCheckpoint(encodeAddCheckpoint({ oldSize, proof: [], checkpoint }));
    expect(ask(stripped(head), 0).status).toBe(403);
    expect(ask(corrupted(head), 0).status).toBe(403);
    expect(ask(head, 0).status).toBe(200);
    expect(ask(head, 12).status).toBe(200);
  });
});
