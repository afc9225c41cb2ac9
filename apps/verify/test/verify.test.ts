import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCheckpointKey, infrastructureName, openJournal, openSigner, openTree } from '@cordon/ledger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../src/arguments.ts';

const origin = 'local.test.invalid/ledger';
let home = '';
let later = '';
const clock = { now: () => Date.UTC(2026, 0, 1) };

function run(...words: string[]): { status: number | null; out: string; err: string } {
  const main = join(import.meta.dirname, '..', 'src', 'main.ts');
  const done = spawnSync(process.execPath, ['--conditions=cordon-source', main, ...words], { encoding: 'utf8' });
  return { status: done.status, out: done.stdout, err: done.stderr };
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'cordon-verify-'));
  const directory = join(home, 'ledger', 'journal', 'local');
  const { privatePem, verifierKey } = createCheckpointKey(origin);
  mkdirSync(join(home, 'keys'));
  writeFileSync(join(home, 'keys', 'ledger.vkey'), `${verifierKey}\n`);
  writeFileSync(join(home, 'keys', 'other.vkey'), createCheckpointKey(origin).verifierKey);
  const journal = await openJournal({ directory, tenant: 'local', writer: 'gw', clock });
  for (let i = 0; i < 5; i++) await journal.append({ session: 'ses_a', type: 'fault', data: { i }, body: 'x' }, 'os');
  const signer = openSigner(origin, privatePem);
  const tree = await openTree({ directory: join(home, 'ledger', 'tree', 'local'), journals: directory, signer, clock });
  await tree.integrate();
  const ledger = join(home, 'ledger');
  cpSync(ledger, join(home, 'before'), { recursive: true });
  await journal.append({ session: 'ses_a', type: 'fault', data: { i: 5 } }, 'os');
  await tree.integrate();
  later = tree.head.checkpoint;
  await tree.close();
  await journal.close();
  rmSync(ledger, { recursive: true });
  renameSync(join(home, 'before'), ledger);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every file with its time and size. */
function listing(): string {
  const names = readdirSync(home, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .map((name) => `${name} ${statSync(join(home, name)).mtimeMs} ${statSync(join(home, name)).size}`)
    .join('\n');
}

describe('verify', () => {
  it('prints one line per part, exits with 0, and touches nothing', () => {
    const before = listing();
    const { status, out, err } = run('--home', home);
    expect([status, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^local {2}entries +ok +0 failures, 1 writers, 1 segments, 1 bodies, 5 entries, 5 seals$/);
    expect(lines[1]).toMatch(/^local {2}complete +ok/);
    expect(lines[2]).toMatch(/^local {2}tree +ok/);
    expect(listing()).toBe(before);
  });

  it('looks at the host’s own ledger too, and at the tenant’s heads in it', async () => {
    const host = mkdtempSync(join(tmpdir(), 'cordon-verify-host-'));
    try {
      cpSync(home, host, { recursive: true });
      expect(run('--home', host).out).toMatch(/^local {2}heads +part /m);
      const { privatePem, verifierKey } = createCheckpointKey('test.invalid/ledger');
      const key = join(host, 'keys/infrastructure.vkey');
      writeFileSync(key, verifierKey);
      const directory = join(host, 'ledger/journal', infrastructureName);
      const checkpoint = readFileSync(join(host, 'ledger/tree/local/checkpoint'), 'utf8');
      const [log = '', size = '', root = ''] = checkpoint.split('\n');
      const data = { log, size: Number(size), root: `sha256:${Buffer.from(root, 'base64').toString('hex')}` };
      {
        const journal = await openJournal({ directory, tenant: infrastructureName, writer: 'cp', clock });
        await journal.append({ session: null, type: 'head', data }, 'disk');
        await journal.close();
        const signer = openSigner('test.invalid/ledger', privatePem);
        const tree = join(host, 'ledger/tree', infrastructureName);
        await using opened = await openTree({ directory: tree, journals: directory, signer, clock });
        await opened.integrate();
      }
      const whole = run('--home', host);
      expect([whole.status, whole.err]).toEqual([0, '']);
      expect(whole.out).toMatch(/^local {2}heads +ok +0 failures, 1 heads$/m);
      expect(whole.out).toMatch(/^infrastructure\.host {2}tree +ok .*1 size/m);
      expect(whole.out).not.toMatch(/^infrastructure\.host {2}decisions/m);
      // The reader's own key goes before the home's.
      const other = join(host, 'keys/other.vkey');
      writeFileSync(other, createCheckpointKey('test.invalid/ledger').verifierKey);
      expect(run('--home', host, '--infrastructure-key', other).out).toMatch(/^local {2}heads +BAD/m);
      const words = [
        '--tree',
        join(host, 'ledger/tree/local'),
        '--key',
        join(host, 'keys/ledger.vkey'),
        '--only',
        'heads',
      ];
      const place = ['--infrastructure', join(host, 'ledger/tree', infrastructureName), '--infrastructure-key', key];
      expect([run(...words, ...place).status, run(...words).status]).toEqual([0, 64]);
      // A part of it taken away is no reason to do without the rest.
      rmSync(key);
      expect(run('--home', host).status).toBe(1);
      rmSync(join(host, 'ledger/tree', infrastructureName), { recursive: true });
      writeFileSync(key, verifierKey);
      expect(run('--home', host).out).toMatch(/^local {2}heads +BAD/m);
    } finally {
      rmSync(host, { recursive: true, force: true });
    }
  });

  it('misses what the head beside the key signed, when somebody put the whole ledger back or took it away', () => {
    const head = join(home, 'keys', 'ledger-local.head');
    const other = join(home, 'keys', 'ledger-gone.head');
    const checkpoint = readFileSync(join(home, 'ledger', 'tree', 'local', 'checkpoint'), 'utf8');
    try {
      writeFileSync(head, checkpoint);
      expect(run('--home', home).status).toBe(0);
      // The same key signed more than there is now.
      writeFileSync(head, later);
      const shorter = run('--home', home, '--part', 'tree');
      expect([shorter.status, shorter.out]).toEqual([1, expect.stringContaining('shortened')]);
      rmSync(head);
      writeFileSync(other, checkpoint);
      const missing = run('--home', home);
      expect([missing.status, missing.out]).toEqual([1, expect.stringContaining('gone')]);
    } finally {
      rmSync(head, { force: true });
      rmSync(other, { force: true });
    }
  });

  it('prints one object with --json, for the parts that were asked for', () => {
    const { status, out } = run('--home', home, '--json', '--part', 'tree', '--part', 'complete');
    expect(status).toBe(0);
    const report = JSON.parse(out) as {
      v: string;
      ok: boolean;
      ledgers: { name: string; parts: { part: string }[] }[];
    };
    expect(report).toMatchObject({ v: 'verify/1', ok: true, ledgers: [{ name: 'local', ok: true }] });
    expect(report.ledgers[0]?.parts.map(({ part }) => part)).toEqual(['complete', 'tree']);
  });

  it('verifies journal and tree each by themselves', () => {
    const journal = join(home, 'ledger', 'journal', 'local');
    const tree = join(home, 'ledger', 'tree', 'local');
    const key = join(home, 'keys', 'ledger.vkey');
    expect(run('--journal', journal).status).toBe(0);
    expect(run('--tree', tree, '--key', key).status).toBe(0);
    expect(run('--tree', tree, '--key', key, '--checkpoint', join(tree, 'checkpoint')).status).toBe(0);
  });

  it('exits with 1 and says where, when something is not as it was recorded', () => {
    expect(run('--home', home, '--key', join(home, 'keys', 'other.vkey'))).toMatchObject({ status: 1 });
    const path = join(home, 'ledger', 'journal', 'local', 'gw', '0000000000000001.journal');
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 30), Buffer.from([27]), bytes.subarray(31)]));
    const { status, out } = run('--home', home);
    writeFileSync(path, bytes);
    expect(status).toBe(1);
    expect(out).toMatch(/frame at gw\/0000000000000001\.journal:0: checksum/);
    expect(out).toMatch(/tree +BAD/);
    expect(out.includes('\u001b')).toBe(false);
  });

  it('exits with 1 when there is nothing to verify, never with 0', () => {
    const empty = join(home, 'empty');
    mkdirSync(join(empty, 'keys'), { recursive: true });
    expect(run('--home', empty).status).toBe(1);
    expect(run('--home', empty, '--key', join(home, 'keys', 'ledger.vkey')).status).toBe(1);
    expect(run('--journal', join(home, 'none')).status).toBe(1);
    rmSync(empty, { recursive: true });
  });

  it('exits with 64 when it is called wrongly', () => {
    expect(run('--nonsense').status).toBe(64);
    expect(run('--journal', home, '--part', 'tree').status).toBe(64);
    expect(run('--home', home, '--key', join(home, 'ledger', 'tree', 'local', 'checkpoint')).status).toBe(64);
    expect(run('--help')).toMatchObject({ status: 0, err: '' });
  });
});

describe('parseArguments', () => {
  it('takes what says one thing, and nothing that could mean another', () => {
    const wrong = [
      [],
      ['--home'],
      ['--nonsense'],
      ['stray'],
      ['--home', 'x', '--tree', 'y'],
      ['--tree', 'x'],
      ['--home', 'x', '--part', 'everything'],
      ['--home', 'x', '--only', 'entries,everything'],
      ['--home', 'x', '--json=maybe'],
      ['--proof', 'p', '--key', 'k', '--head', 'h'],
      ['--home', 'x', '--head', 'h', '--infrastructure-key', 'k'],
      ['--tree', 't', '--key', 'k', '--infrastructure', 'i'],
      ['--journal', 'j', '--infrastructure', 'i', '--infrastructure-key', 'k'],
      ['--proof', 'p', '--key', 'k', '--infrastructure-key', 'k'],
    ];
    for (const words of wrong) expect(parseArguments(words).kind, words.join(' ')).toBe('wrong');
    const parsed = parseArguments([
      '--tree',
      't',
      '--key',
      'k',
      '--checkpoint',
      'a',
      '--checkpoint',
      'b',
      '--part',
      'tree',
    ]);
    expect(parsed).toEqual({
      kind: 'run',
      arguments: {
        home: null,
        journal: null,
        tree: 't',
        proof: null,
        key: 'k',
        head: null,
        infrastructure: null,
        infrastructureKey: null,
        checkpoints: ['a', 'b'],
        parts: ['tree'],
        keys: null,
        witnesses: null,
        engines: [],
        every: false,
        strict: false,
        json: false,
      },
    });
    expect(parseArguments(['--help']).kind).toBe('help');
  });
});
