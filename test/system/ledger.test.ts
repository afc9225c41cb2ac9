import { createHash, createPublicKey, verify } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { canonicalize, type LedgerProof } from '@cordon/protocol';
import { describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';

const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** RFC 9162 §2.1.3.2, written here anew, so that a mistake of the product's own tree is not made twice. */
function rootOf(leaf: Buffer, index: number, size: number, proof: readonly Buffer[]): Buffer {
  let fn = index;
  let sn = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (sn === 0) throw new Error('the proof is too long');
    if (fn % 2 === 1 || fn === sn) {
      hash = sha256(Buffer.of(1), sibling, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else hash = sha256(Buffer.of(1), hash, sibling);
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  if (sn !== 0) throw new Error('the proof is too short');
  return hash;
}

function bytesOf(text: string): Buffer {
  return text.startsWith('sha256:')
    ? Buffer.from(text.slice(7), 'hex')
    : /^[0-9a-f]{64}$/.test(text)
      ? Buffer.from(text, 'hex')
      : Buffer.from(text, 'base64');
}

describe('the ledger', () => {
  it('proves one decision to somebody who trusts only the public key', async () => {
    await using deployment = await Deployment.start();
    await deployment.sh('curl -s -m 5 -X POST -d x https://refused.example/upload');
    const [denied] = (await deployment.decisions()).filter((decision) => decision['outcome'] === 'deny');
    expect(denied).toBeDefined();
    const proved = await deployment.cordon(['ledger', 'prove', String(denied?.['attempt'])]);
    expect(proved.status, proved.stderr).toBe(0);
    const proof = JSON.parse(proved.stdout) as LedgerProof;

    const leaf = sha256(Buffer.of(0), Buffer.from(canonicalize(proof.entry as never)));
    expect(bytesOf(proof.leaf).equals(leaf)).toBe(true);
    const [origin = '', size = '', root = ''] = proof.checkpoint.split('\n');
    expect(origin).toMatch(/ledger$/);
    expect(rootOf(leaf, proof.index, Number(size), proof.path.map(bytesOf)).equals(Buffer.from(root, 'base64'))).toBe(
      true,
    );

    // C2SP signed note: the text, an empty line, then `— NAME BASE64(4 bytes key id, signature)`.
    const at = proof.checkpoint.indexOf('\n\n');
    const text = proof.checkpoint.slice(0, at + 1);
    const line = proof.checkpoint.slice(at + 2).split('\n')[0] ?? '';
    const signature = Buffer.from(line.split(' ')[2] ?? '', 'base64').subarray(4);
    const key = Buffer.from(proof.publicKey.split('+').slice(2).join('+') || proof.publicKey, 'base64').subarray(-32);
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]);
    expect(
      verify(null, Buffer.from(text), createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature),
    ).toBe(true);

    const other = { ...proof.entry, at: '2020-01-01T00:00:00.000Z' };
    const forged = sha256(Buffer.of(0), Buffer.from(canonicalize(other as never)));
    expect(rootOf(forged, proof.index, Number(size), proof.path.map(bytesOf)).equals(Buffer.from(root, 'base64'))).toBe(
      false,
    );
  });

  it('is verified offline, and the verifier names what was changed', async () => {
    await using deployment = await Deployment.start();
    await deployment.sh('curl -s -m 5 https://refused.example/a; curl -s -m 5 https://refused.example/b');
    await deployment.decisions();
    expect((await deployment.cordon(['down'])).status).toBe(0);
    // Whoever removes the folder next must not meet anybody there.
    expect(deployment.processes()).toEqual([]);
    const whole = await deployment.cordon(['ledger', 'verify', '--json']);
    expect(whole.status, whole.stdout).toBe(0);
    // Each decision was judged again, from the ledger alone, to the very bytes that are on record.
    const replayed = partOf(whole.stdout, 'decisions');
    expect(replayed.counts).toEqual({ failures: 0, generations: 1, decisions: 2, same: 2 });
    expect(replayed.open).toBe(false);
    const journal = filesBelow(path.join(deployment.home, 'ledger'))
      .filter((file) => file.endsWith('.journal'))
      .find((file) => readFileSync(file, 'utf8').includes('"deny"'));
    expect(journal).toBeDefined();
    const bytes = readFileSync(journal ?? '');
    const at = bytes.indexOf('"deny"');
    const changed = Buffer.from(bytes);
    changed.write('"allo"', at);
    writeFileSync(journal ?? '', changed);
    const verified = await deployment.cordon(['ledger', 'verify']);
    expect(verified.status).toBe(1);
    expect(verified.stdout + verified.stderr).toMatch(/entries/);
    writeFileSync(journal ?? '', bytes);
    expect((await deployment.cordon(['ledger', 'verify'])).status).toBe(0);
  });

  it('starts no new history in place of one that was taken away, and says so', async () => {
    await using deployment = await Deployment.start();
    await deployment.sh('curl -s -m 5 https://refused.example/a');
    await deployment.decisions();
    expect((await deployment.cordon(['down'])).status).toBe(0);
    rmSync(path.join(deployment.home, 'ledger'), { recursive: true });
    const up = await deployment.cordon(['up']);
    expect(up.status).toBe(69);
    expect(up.stderr).toContain('entries were signed');
    expect((await deployment.cordon(['ledger', 'verify'])).status).toBe(1);
  });
});

interface Part {
  readonly part: string;
  readonly ok: boolean;
  readonly open: boolean;
  readonly counts: Readonly<Record<string, number>>;
}

function partOf(json: string, name: string): Part {
  const { ledgers } = JSON.parse(json) as { ledgers: readonly [{ parts: readonly Part[] }] };
  const part = ledgers[0].parts.find((one) => one.part === name);
  if (part === undefined) throw new Error(`the report has no part ${name}`);
  return part;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}
