import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  JournalArchive,
  KeyFiles,
  KeyStore,
  ledgerLimits,
  noKeys,
  readJournal,
  SessionKeyring,
  verifyLedger,
} from '../src/index.ts';
import { codeOf, journalsOf, openTestJournal, temporary } from './rig.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const secret = 'what the agent asked for';

function keysIn(root: string, tenantKey: Uint8Array = Buffer.alloc(32, 1), tenant = 'local'): KeyStore {
  return new KeyStore({ directory: join(root, 'keys'), tenant, tenantKey }, random);
}

function sealingBy(keys: KeyStore) {
  return { sealing: { keyFor: (session: string | null) => (session === null ? null : keys.of(session)), random } };
}

async function recordsOf(root: string) {
  const records = [];
  for await (const record of readJournal(journalsOf(root), 'gw')) records.push(record);
  return records;
}

function bytesBelow(root: string): Buffer {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return Buffer.concat(names.filter((name) => statSync(name).isFile()).map((name) => readFileSync(name)));
}

describe('sealed bodies', () => {
  it('lie on disk unreadable, open with the key of their session, and hash as they lie', async () => {
    const root = temporary();
    const keys = keysIn(root);
    await using journal = await openTestJournal(root, sealingBy(keys));
    for (let i = 0; i < 2; i++) {
      await journal.append({ session: 'ses_a', type: 'fault', data: {}, body: secret }, 'disk');
    }
    const [first, second] = await recordsOf(root);
    if (first === undefined || second === undefined) throw new Error('two entries were written');
    expect(bytesBelow(root).includes(secret)).toBe(false);
    expect(first.entry.seal?.key).toBe('k_ses_a');
    // The same body twice is not the same bytes twice.
    expect(first.entry.seal?.digest).not.toBe(second.entry.seal?.digest);
    const archive = new JournalArchive(journalsOf(root), keysIn(root));
    expect(archive.body(second.position, second.entry).toString()).toBe(secret);
    expect(() => new JournalArchive(journalsOf(root), noKeys).body(first.position, first.entry)).toThrow(/not given/);
    expect(verifyLedger({ journals: journalsOf(root), tree: null, verifierKey: null }).ok).toBe(true);
  });

  it('do not open as another session, another tenant or under another tenant key', async () => {
    const root = temporary();
    const keys = keysIn(root);
    await using journal = await openTestJournal(root, sealingBy(keys));
    await journal.append({ session: 'ses_a', type: 'fault', data: {}, body: secret }, 'disk');
    const [record] = await recordsOf(root);
    if (record === undefined) throw new Error('an entry was written');
    const archive = new JournalArchive(journalsOf(root), keys);
    for (const moved of [{ session: 'ses_b' }, { tenant: 'other' }]) {
      expect(() => archive.body(record.position, { ...record.entry, ...moved })).toThrow(/does not open/);
    }
    expect(() => keysIn(root, Buffer.alloc(32, 2)).find('k_ses_a')).toThrow(/does not open/);
    expect(() => keysIn(root, undefined, 'other').find('k_ses_a')).toThrow(/does not open/);
    renameSync(join(root, 'keys', 'ses_a.key'), join(root, 'keys', 'ses_b.key'));
    expect(() => keysIn(root).find('k_ses_b')).toThrow(/does not open/);
    expect(() => keysIn(root, Buffer.alloc(16))).toThrow(/32 bytes/);
  });

  it('may be as large as ever, and one byte more is refused', async () => {
    const root = temporary();
    await using journal = await openTestJournal(root, sealingBy(keysIn(root)));
    const body = Buffer.alloc(ledgerLimits.bodyBytesMax, 'x');
    await journal.append({ session: 'ses_a', type: 'fault', data: {}, body }, 'os');
    const larger = { session: 'ses_a', type: 'fault' as const, data: {}, body: Buffer.alloc(body.length + 1) };
    expect(await codeOf(journal.append(larger, 'os'))).toBe('ledger-too-large');
    const [record] = await recordsOf(root);
    if (record === undefined) throw new Error('an entry was written');
    const archive = new JournalArchive(journalsOf(root), keysIn(root));
    expect(archive.body(record.position, record.entry).equals(body)).toBe(true);
  });

  it('stand beside those in clear that an older version wrote', async () => {
    const root = temporary();
    {
      await using before = await openTestJournal(root);
      await before.append({ session: 'ses_a', type: 'fault', data: {}, body: 'old' }, 'disk');
    }
    const keys = keysIn(root);
    await using journal = await openTestJournal(root, sealingBy(keys));
    await journal.append({ session: 'ses_a', type: 'fault', data: {}, body: 'new' }, 'disk');
    const archive = new JournalArchive(journalsOf(root), keys);
    const kept = (await recordsOf(root)).filter(({ entry }) => entry.seal !== null);
    expect(kept.map(({ position, entry }) => archive.body(position, entry).toString())).toEqual(['old', 'new']);
    expect(kept.map(({ entry }) => entry.seal?.key)).toEqual(['none', 'k_ses_a']);
  });

  it('are refused when nobody gave the session a key: what cannot be sealed is not done', async () => {
    const root = temporary();
    const keyring = new SessionKeyring();
    await using journal = await openTestJournal(root, { sealing: { keyFor: keyring.keyFor, random } });
    const draft = { session: 'ses_a', type: 'fault' as const, data: {}, body: secret };
    expect(await codeOf(journal.append(draft, 'os'))).toBe('ledger-key');
    keyring.hold('ses_a', 'k_ses_a', randomBytes(32));
    expect((await journal.append(draft, 'os')).wseq).toBe(1);
    keyring.drop('ses_a');
    expect(await codeOf(journal.append(draft, 'os'))).toBe('ledger-key');
    // Without a body, and of no session, there is nothing to seal.
    expect((await journal.append({ session: null, type: 'fault', data: {}, body: 'clear' }, 'os')).wseq).toBe(2);
  });
});

describe('shredding', () => {
  it('takes the key away for ever, and only this one', async () => {
    const root = temporary();
    const keys = keysIn(root);
    await using journal = await openTestJournal(root, sealingBy(keys));
    for (const session of ['ses_a', 'ses_b']) {
      await journal.append({ session, type: 'fault', data: {}, body: secret }, 'disk');
    }
    const wrapped = readFileSync(join(root, 'keys', 'ses_a.key'));
    keys.mark('ses_a');
    expect(keysIn(root).unfinished()).toEqual(['ses_a']);
    keys.destroy('ses_a');
    expect(keysIn(root).unfinished()).toEqual([]);
    expect(existsSync(join(root, 'keys', 'ses_a.key'))).toBe(false);
    expect(bytesBelow(root).includes(wrapped)).toBe(false);
    for (const present of [
      keys,
      keysIn(root),
      new KeyFiles({ directory: join(root, 'keys'), tenant: 'local', tenantKey: Buffer.alloc(32, 1) }),
    ]) {
      expect(present.find('k_ses_a')).toBe('missing');
      expect(typeof present.find('k_ses_b')).toBe('object');
    }
    // What is said about the session afterwards is unreadable from the first moment on.
    await journal.append({ session: 'ses_a', type: 'fault', data: {}, body: secret }, 'disk');
    const later = (await recordsOf(root)).at(-1);
    if (later === undefined) throw new Error('an entry was written');
    expect(later.entry.seal?.key).toBe('k_ses_a');
    expect(() => new JournalArchive(journalsOf(root), keysIn(root)).body(later.position, later.entry)).toThrow(/gone/);
  });

  it('takes no name that could leave the folder', () => {
    const keys = keysIn(temporary());
    for (const name of ['../x', 'a/b', '.x', '']) expect(() => keys.of(name), name).toThrow(/no plain name/);
  });
});
