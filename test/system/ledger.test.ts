import { createHash, createPublicKey, verify } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { JournalArchive, KeyFiles, readJournal } from '@cordon/ledger';
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
    const proved = await deployment.cordon(['ledger', 'prove', String(denied?.['attempt']), '--json']);
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
    const [firstKey = ''] = proof.publicKey.split('\n');
    const key = Buffer.from(firstKey.split('+').slice(2).join('+'), 'base64').subarray(-32);
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
    // The host's own ledger has the tenant's heads on record, the last of them too.
    const { ledgers } = JSON.parse(whole.stdout) as VerifyAnswer;
    expect(ledgers.map(({ name }) => name)).toEqual(['local', 'infrastructure.host']);
    expect(ledgers.map(({ parts }) => parts.every(({ ok }) => ok))).toEqual([true, true]);
    const heads = partOf(whole.stdout, 'heads');
    expect([heads.ok, heads.open, (heads.counts['heads'] ?? 0) > 0, heads.notes]).toEqual([true, false, true, []]);
    const key = path.join(deployment.home, 'keys/infrastructure.vkey');
    const publicKeys = readFileSync(key);
    rmSync(key);
    // Half of it gone is no reason to look at the other half only.
    expect((await deployment.cordon(['ledger', 'verify'])).status).toBe(1);
    writeFileSync(key, publicKeys);
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

  it('forgets an ended session at a word, and stays whole', async () => {
    await using deployment = await Deployment.start();
    await deployment.sh('curl -s -m 5 https://refused.example/very-private-path');
    const [denied] = await deployment.decisions();
    const session = String(denied?.['session']);
    const attempt = String(denied?.['attempt']);
    expect((await deployment.cordon(['policy', 'explain', attempt])).stdout).toContain('very-private-path');
    const salt = await saltOf(deployment.home, session);
    expect(salt).toMatch(/^[0-9a-f]{32}$/);
    expect(filesWith(path.join(deployment.home, 'ledger'), 'very-private-path')).toEqual([]);

    const shredded = await deployment.cordon(['ledger', 'shred', session]);
    expect(shredded.status, shredded.stderr).toBe(0);
    const explained = await deployment.cordon(['policy', 'explain', attempt]);
    expect([explained.status, explained.stdout.includes('very-private-path')]).toEqual([0, false]);
    expect((await deployment.cordon(['logs', session])).status).toBe(0);
    for (const gone of [salt, 'very-private-path']) expect(filesWith(deployment.home, gone)).toEqual([]);

    expect((await deployment.cordon(['down'])).status).toBe(0);
    const report = await deployment.cordon(['ledger', 'verify', '--json']);
    expect(report.status, report.stdout).toBe(0);
    expect(partOf(report.stdout, 'tree').ok).toBe(true);
    for (const [format, of] of [
      ['ocsf', '"class_uid":4002'],
      ['otel', '"cordon.leaf"'],
    ] as const) {
      const exported = await deployment.cordon(['ledger', 'export', '--format', format]);
      expect([exported.status, exported.stdout.includes(of)]).toEqual([0, true]);
      for (const line of exported.stdout.trim().split('\n')) JSON.parse(line);
    }
    expect((await deployment.cordon(['ledger', 'export', '--format', 'xml'])).status).toBe(64);
    expect(partOf(report.stdout, 'decisions')).toMatchObject({ open: true, counts: { notReplayable: 1, shredded: 1 } });
    expect((await deployment.cordon(['ledger', 'verify', '--strict'])).status).toBe(1);
    expect(filesWith(deployment.home, salt)).toEqual([]);
  });

  it('does not forget a session that is alive', async () => {
    await using deployment = await Deployment.start();
    const child = deployment.background(['run', '--quiet', '--', '/bin/sh', '-c', 'echo up; read line']);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const [line = ''] = (await deployment.cordon(['ps', '--json'])).stdout.split('\n');
    const { id } = JSON.parse(line) as { id: string };
    const refused = await deployment.cordon(['ledger', 'shred', id]);
    child.stdin?.end('\n');
    await child.closed;
    expect([refused.status, refused.stderr]).toEqual([expect.any(Number), expect.stringContaining('alive')]);
    expect(refused.status).not.toBe(0);
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
  readonly notes: readonly string[];
}

interface VerifyAnswer {
  readonly ledgers: readonly { readonly name: string; readonly parts: readonly Part[] }[];
}

/** Of the tenant's ledger; the host's own comes after it. */
function partOf(json: string, name: string): Part {
  const { ledgers } = JSON.parse(json) as VerifyAnswer;
  const part = ledgers[0]?.parts.find((one) => one.part === name);
  if (part === undefined) throw new Error(`the report has no part ${name}`);
  return part;
}

/** As the order of the session says, which only its key opens. */
async function saltOf(home: string, session: string): Promise<string> {
  const tenantKey = readFileSync(path.join(home, 'keys/bodies-local.key'));
  const keys = new KeyFiles({ directory: path.join(home, 'keys/bodies/local'), tenant: 'local', tenantKey });
  const directory = path.join(home, 'ledger/journal/local');
  const archive = new JournalArchive(directory, keys);
  for await (const { entry, position } of readJournal(directory, 'cp')) {
    if (entry.type !== 'session.start' || entry.session !== session || entry.seal === null) continue;
    const { policy } = JSON.parse(archive.body(position, entry).toString()) as { policy: { salt: string } };
    return policy.salt;
  }
  throw new Error(`nobody ordered ${session}`);
}

function filesWith(folder: string, text: string): string[] {
  return filesBelow(folder).filter((file) => readFileSync(file).includes(text));
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}
