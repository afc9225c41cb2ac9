import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type EntryDraft, openJournal, type VerifyPart, verifyLedger } from '@cordon/ledger';
import { createLabel, digestLabel, type LabelParts } from '@cordon/policy';
import type { RecordValue } from '@cordon/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RecordOptions, recordLedger } from '../../../test/support/recorded-ledger.ts';
import { verifyCounters } from '../src/counters/counters.ts';

/**
 * Ledgers that are whole, chained and honestly signed, written by a gateway or a control plane that lies about what it
 * counted and what its sessions had seen. Both verifiers must name the lie, but for what only bodies tell.
 */
const python = path.join(import.meta.dirname, '../../../tools/verify_ledger.py');
/** Told by the bodies of policies, which the second verifier does not read. */
const sealed = ['yields', 'budget'];

let root = '';
/** What the second verifier is asked about at the end, in one go. */
const all: { readonly journals: string; readonly expected: readonly (readonly string[])[] }[] = [];
beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'cordon-recount-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Found = Partial<Record<VerifyPart, readonly string[]>>;
type Members = Record<string, RecordValue>;

/** Codes per part of the first verifier. */
function find(home: string): { readonly found: Found; readonly left: readonly string[] } {
  const journals = path.join(home, 'ledger/journal/local');
  const parts: VerifyPart[] = ['labels', 'counters'];
  const counters = (folder: string) => verifyCounters(folder);
  const report = verifyLedger({ journals, tree: null, verifierKey: null, parts, counters });
  const found = Object.fromEntries(
    report.parts
      .filter(({ ok }) => !ok)
      .map(({ part, failures }) => [part, [...new Set(failures.map(({ code }) => code))].sort()]),
  ) as Found;
  all.push({ journals, expected: parts.map((part) => (found[part] ?? []).filter((code) => !sealed.includes(code))) });
  return { found, left: report.parts.flatMap(({ notes }) => notes) };
}

async function record(options: Omit<RecordOptions, 'home'>): Promise<string> {
  const home = mkdtempSync(path.join(root, 'ledger-'));
  await recordLedger({ home, ...options });
  return home;
}

type Change = (data: Members, draft: EntryDraft) => Members | null;

/** Changes the clear part of the entries of a type, from the given one on; null leaves the entry out. */
function forge(type: EntryDraft['type'], change: Change, which: { from?: number; to?: number } = {}) {
  const { from = 0, to = Infinity } = which;
  let seen = 0;
  return (draft: EntryDraft): EntryDraft | null => {
    if (draft.type !== type) return draft;
    seen += 1;
    if (seen <= from || seen > to) return draft;
    const data = change({ ...draft.data }, draft);
    return data === null ? null : { ...draft, data };
  };
}

const within = (data: Members, name: string, more: Members): Members => ({
  ...data,
  [name]: { ...(data[name] as Members), ...more },
});
const relabelled = (data: Members, parts: Partial<LabelParts>): Members => {
  const after = createLabel({ ...(data['after'] as unknown as LabelParts), ...parts });
  return { ...data, after: after as unknown as RecordValue, digest: digestLabel(after) };
};
const onlyAllowed =
  (change: Change): Change =>
  (data, draft) =>
    data['outcome'] === 'allow' ? change(data, draft) : data;
const small = { decisions: 40, sessions: 2, grants: 6 };
const busy = { decisions: 40, sessions: 1, grants: 1 };
/** Minutes apart in truth, and said to have been a moment. */
const atOnce = (counters: Members): Members => ({ ...counters, tick: Math.floor(Number(counters['tick']) / 10_000) });

describe('what a lying gateway says of what its sessions have seen', () => {
  it.each<[string, string, (draft: EntryDraft) => EntryDraft | null]>([
    ['a label that rises', 'rise', forge('label', (data) => relabelled(data, { integrity: 4 }), { from: 1, to: 2 })],
    ['sources left out', 'rise', forge('label', (data) => relabelled(data, { sources: [] }), { from: 1, to: 2 })],
    [
      'a label under another’s digest',
      'label',
      forge('label', (data) => ({ ...data, grade: 1, digest: `sha256:${'0'.repeat(64)}` }), { from: 2, to: 3 }),
    ],
    ['a fall left out', 'before', forge('label', () => null, { from: 2, to: 3 })],
    ['a fall by nothing', 'cause', forge('label', (data) => ({ ...data, cause: 'att_nothing' }), { from: 2, to: 3 })],
    ['a beginning left out', 'start', forge('label', () => null, { to: 1 })],
    [
      'a beginning that is better than ordered',
      'start',
      forge('session.start', (data) => within(data, 'start', { integrity: 0 })),
    ],
    [
      'an allow by the label of before',
      'stale',
      forge('decision', (data) => within(data, 'labels', { ctx: firstLabel() }), { from: 20, to: 21 }),
    ],
    [
      'an allow by a label of nobody',
      'stale',
      forge(
        'decision',
        (data) => within(within(data, 'labels', { ctx: `sha256:${'1'.repeat(64)}` }), 'flow', { ctxInteg: 4 }),
        { from: 20, to: 21 },
      ),
    ],
    [
      'flow facts of another label',
      'flow',
      forge('decision', (data) => within(data, 'flow', { ctxInteg: 4 }), { from: 20, to: 21 }),
    ],
    [
      'arguments better than the context',
      'flow',
      forge('decision', (data) => within(data, 'flow', { argConf: 0 }), { from: 20, to: 21 }),
    ],
    [
      'an answer to a credential that fell on nobody',
      'unfallen',
      forge('outcome', (data) => ({ ...data, credentials: ['token'] }), { from: 5, to: 6 }),
    ],
    [
      'a leak meter that forgets',
      'leak',
      forge(
        'decision',
        onlyAllowed((data) => within(data, 'labels', { leakBytes: 100 })),
      ),
    ],
  ])('%s: %s', async (_name, code, change) => {
    const { found } = find(await record({ ...small, forge: change }));
    expect(found).toEqual({ labels: expect.arrayContaining([code]) as string[] });
  });

  it('answers that no grant vouches for: yields, from the policies', async () => {
    const change = (draft: EntryDraft): EntryDraft =>
      draft.type === 'session.start'
        ? { ...draft, body: String(draft.body).replaceAll('"vouched"', '"untrusted"') }
        : draft;
    expect(find(await record({ ...small, forge: change })).found).toEqual({ labels: ['yields'] });
  });

  /** Of a session as it is ordered to start. */
  function firstLabel(): string {
    return digestLabel(createLabel({ integrity: 2, confidentiality: 1, readers: ['me'], sources: ['order'] }));
  }
});

describe('what a lying control plane says of folders', () => {
  const label = (parts: Partial<LabelParts>, before: string | null, more: Members = {}): EntryDraft => {
    const after = createLabel({ integrity: 0, confidentiality: 2, readers: ['me'], sources: ['a'], ...parts });
    const data = {
      after: after as unknown as RecordValue,
      before,
      cause: 'gateway',
      digest: digestLabel(after),
      grade: 1,
    };
    return { session: 'ses_a', type: 'label', data: { ...data, of: 'folder', folder: '/work/app', ...more } };
  };
  const digestOf = ({ data }: EntryDraft): string => String(data['digest']);
  const order = (start: Members | null, workspace = '/work/app', mode = 'proposal'): EntryDraft => {
    const data = { phase: 'order', agent: 'fixer', revision: 1, workspace, mode, readOnly: [], start };
    return { session: 'ses_b', type: 'session.start', data };
  };
  const beat = (): EntryDraft => ({ session: null, type: 'heartbeat', data: {} });
  const good = { integrity: 2, confidentiality: 1, readers: ['me'] };
  const fallen = { integrity: 0, confidentiality: 2, readers: ['me'] };

  async function write(writers: Readonly<Record<string, readonly EntryDraft[][]>>): Promise<string> {
    const home = mkdtempSync(path.join(root, 'folders-'));
    const directory = path.join(home, 'ledger/journal/local');
    for (const [writer, lives] of Object.entries(writers)) {
      for (const drafts of lives) {
        await using journal = await openJournal({ directory, tenant: 'local', writer, clock: { now: () => 0 } });
        for (const draft of drafts) await journal.append(draft, 'os');
      }
    }
    return home;
  }
  const beats = [beat(), beat(), beat()];

  it.each<[string, readonly EntryDraft[][], readonly string[]]>([
    ['an honest one', [[label({}, null), ...beats, order(fallen)]], []],
    ['a session that starts better than its folder', [[label({}, null), ...beats, order(good)]], ['folder']],
    ['… than a folder in its own', [[label({}, null), ...beats, order(good, '/work')]], ['folder']],
    ['… than the folder around it', [[label({}, null), ...beats, order(good, '/work/app/src')]], ['folder']],
    ['a session next to it', [[label({}, null), ...beats, order(good, '/work/application')]], []],
    ['a session that nobody knows anything of', [[label({}, null), ...beats, order(null)]], []],
    ['a session that raced with the label', [[label({}, null), order(good)]], []],
    ['a folder that gets better', [[label({}, null), label({ integrity: 3 }, digestOf(label({}, null)))]], ['rise']],
    ['a folder that forgets', [[label({}, null), label({ sources: ['b'] }, null)]], ['before']],
    ['a label lost in a crash before it was stored', [[label({}, null)], [label({ sources: ['b'] }, null)]], []],
    [
      'two of them',
      [[label({}, null), label({ sources: ['a', 'b'] }, digestOf(label({}, null)))], [label({ sources: ['c'] }, null)]],
      ['before'],
    ],
    ['no reason to fall', [[label({}, null, { cause: 'whim' })]], ['cause']],
    ['no label', [[label({}, null, { after: { v: 'label/1' } })]], ['label']],
  ])('%s', async (_name, lives, codes) => {
    const { found } = find(await write({ cp: lives }));
    expect(found).toEqual(codes.length === 0 ? {} : { labels: codes });
  });

  it('a session that writes at once what its folder is not labelled with: unstored', async () => {
    const seen = createLabel({ ...fallen, sources: ['a'], integrity: 0, confidentiality: 2 });
    const data = {
      after: seen as unknown as RecordValue,
      before: null,
      cause: 'start',
      digest: digestLabel(seen),
      grade: 1,
    };
    const context: EntryDraft = { session: 'ses_b', type: 'label', data: { ...data, of: 'context' } };
    const start = order(good, '/work/app', 'direct');
    expect(find(await write({ cp: [[start]], gw: [[context]] })).found).toEqual({ labels: ['unstored'] });
    expect(find(await write({ cp: [[start, label({}, null)]], gw: [[context]] })).found).toEqual({});
  });
});

describe('what a lying gateway says that it counted', () => {
  const counted =
    (change: (counters: Members) => Members): Change =>
    (data) => ({
      ...data,
      counters: change(data['counters'] as Members),
    });

  it.each<[string, Omit<RecordOptions, 'home'>, string]>([
    ['a breaker that it does not have', { ...busy, forge: forge('decision', counted(atOnce)) }, 'breaker'],
    [
      'a breaker that it does not heed',
      {
        ...busy,
        forge: forge('decision', onlyAllowed(counted((counters) => ({ ...counters, own: 2 }))), { from: 20 }),
      },
      'breaker',
    ],
    [
      'a closed destination that it does not heed',
      {
        ...busy,
        forge: forge('decision', onlyAllowed(counted((counters) => ({ ...counters, sink: 2 }))), { from: 20 }),
      },
      'breaker',
    ],
    [
      'more denials than there were',
      {
        ...busy,
        forge: forge(
          'decision',
          counted((counters) => ({ ...counters, noted: 99 })),
          { from: 20 },
        ),
      },
      'breaker',
    ],
    [
      'fewer denials than before',
      {
        ...busy,
        forge: forge(
          'decision',
          counted((counters) => ({ ...counters, noted: 0 })),
          { from: 30 },
        ),
      },
      'breaker',
    ],
    [
      'never a denial',
      {
        ...busy,
        decisions: 700,
        forge: forge(
          'decision',
          counted((counters) => ({ ...atOnce(counters), noted: 0 })),
        ),
      },
      'breaker',
    ],
    [
      'a rate that it does not keep',
      {
        ...busy,
        forge: forge(
          'decision',
          onlyAllowed((data) => ({ ...data, rates: ['rate:1/60000ms@session/web'] })),
        ),
      },
      'rate',
    ],
    [
      'a destination that fails and is asked on',
      { ...busy, decisions: 60, forge: (draft) => failing(draft) },
      'breaker',
    ],
  ])('%s', async (_name, options, code) => {
    expect(find(await record(options)).found).toEqual(code === '' ? {} : { counters: [code] });
  });

  const budgeted =
    (budget: Members) =>
    (draft: EntryDraft): EntryDraft => {
      if (draft.type !== 'session.start') return draft;
      const body = JSON.parse(String(draft.body)) as { policy: Members };
      const policy = { ...body.policy, budget: { per: 'ever', requests: null, bytes: null, ...budget } };
      return { ...draft, body: JSON.stringify({ ...body, policy }) };
    };
  // Of 40 it let 28 through, and each answer has 5 bytes.
  it.each<[string, Members, boolean]>([
    ['requests beyond it', { requests: 27 }, false],
    ['all its requests', { requests: 28 }, true],
    ['requests beyond it, by the day', { requests: 13, per: 'day' }, false],
    ['requests of this day and of one before', { requests: 14, per: 'day' }, true],
    ['answers beyond it', { bytes: 5 * 27 - 1 }, false],
    ['all its answers', { bytes: 5 * 27 }, true],
    ['answers that passed while a leak was paid for', { bytes: 5, leak: 1_000_000 }, true],
  ])('a budget, from the policies: %s', async (_name, budget, honest) => {
    const expected = honest ? {} : { counters: ['budget'] };
    expect(find(await record({ ...busy, forge: budgeted(budget) })).found).toEqual(expected);
  });

  it('a budget that people raised', async () => {
    const home = await record({ ...busy, forge: budgeted({ requests: 20 }) });
    expect(find(home).found).toEqual({ counters: ['budget'] });
    const raised = await record({ ...busy, forge: budgeted({ requests: 20 }) });
    const account = `session/ses_${'0'.repeat(26)}/own`;
    const data = { act: 'raised', account, unit: 'requests', window: 'ever', by: 8, max: 20, hold: 'hld_x' };
    const directory = path.join(raised, 'ledger/journal/local');
    {
      await using journal = await openJournal({ directory, tenant: 'local', writer: 'cp', clock: { now: () => 0 } });
      await journal.append({ session: null, type: 'budget', data }, 'disk');
    }
    expect(find(raised).found).toEqual({});
  });

  it('a trip that no denial explains', async () => {
    const data = {
      act: 'trip',
      action: 'http.request',
      level: 1,
      noted: 1,
      resource: 'https://a.example:443',
      tick: 1,
    };
    const trip: EntryDraft = { session: 'ses_a', type: 'breaker', data };
    const decided = await record({ ...busy, decisions: 1 });
    const directory = path.join(decided, 'ledger/journal/local');
    {
      await using journal = await openJournal({ directory, tenant: 'local', writer: 'gw', clock: { now: () => 0 } });
      await journal.append(trip, 'os');
    }
    expect(find(decided).found).toEqual({ counters: ['breaker'] });
  });

  it('says what it cannot count again', async () => {
    const older = forge('decision', ({ counters: _, labels: __, ...data }) => data);
    const { found, left } = find(await record({ ...small, forge: older }));
    expect(found).toEqual({});
    expect(left.join('\n')).toMatch(/decisions of before counters[\s\S]*|without labels in clear/);
  });

  /** No connection, twenty times within a minute. */
  function failing(draft: EntryDraft): EntryDraft {
    const data = { ...draft.data } as Members;
    if (draft.type === 'outcome')
      return { ...draft, data: { ...data, code: 'upstream-connect', status: null, firstByteMs: null, tick: 5 } };
    return draft;
  }
});

describe('an honest ledger', () => {
  it('has nothing that either verifier names', async () => {
    expect(find(await record(small))).toEqual({ found: {}, left: [] });
    expect(find(await record({ ...busy, decisions: 300 }))).toEqual({ found: {}, left: [] });
  });
});

it('is named alike by the second verifier, as far as it lies in clear', () => {
  const program = [
    'import sys, json, importlib.util',
    `spec = importlib.util.spec_from_file_location("v", ${JSON.stringify(python)})`,
    'v = importlib.util.module_from_spec(spec)',
    'spec.loader.exec_module(v)',
    'def codes(part, folder):',
    '    found = []',
    '    part(folder, found.append)',
    '    return sorted(set(found))',
    'folders = json.load(sys.stdin)',
    'print(json.dumps([[codes(p, f) for p in (v.verify_labels, v.verify_counters)] for f in folders]))',
  ].join('\n');
  const input = JSON.stringify(all.map(({ journals }) => journals));
  const output = execFileSync('python3', ['-B', '-c', program], { input, encoding: 'utf8' });
  expect(all.length).toBeGreaterThan(30);
  expect(JSON.parse(output)).toEqual(all.map(({ expected }) => expected));
});
