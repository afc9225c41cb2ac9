import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BodyKeys,
  type EntryDraft,
  KeyStore,
  mergeParts,
  openJournal,
  type PartReport,
  verifyDecisions,
} from '@cordon/ledger';
import type { RecordValue } from '@cordon/protocol';
import { canonicalize } from '@cordon/protocol';
import { type DigestKind, digestRecord } from '@cordon/protocol/digest';
import { afterEach, describe, expect, it } from 'vitest';
import { engineFile, recordLedger } from '../../../test/support/recorded-ledger.ts';
import { runDecisions } from '../src/decisions.ts';
import { Engines } from '../src/engines.ts';
import { createReplay } from '../src/replay.ts';

const decisions = 40;
// Making an engine takes longer than all that these tests ask of it.
const engines = new Engines([], false);
const everyTime = new Engines([], true);
const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

type Members = Record<string, RecordValue>;

async function record(forge: (draft: EntryDraft) => EntryDraft | null = (draft) => draft): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'cordon-replay-'));
  made.push(home);
  await recordLedger({ home, decisions, sessions: 2, grants: 6, forge });
  return home;
}

function judge(home: string, shard = { index: 0, of: 1 }, every = false): PartReport {
  const replay = createReplay(every ? everyTime : engines);
  return verifyDecisions({ journals: join(home, 'ledger', 'journal', 'local'), replay, shard });
}

/** Changes the first decision with this outcome: its body, and in `data` whatever a forger can compute anew. */
function forgeOne(outcome: string, change: (body: Members, data: Members) => void): (draft: EntryDraft) => EntryDraft {
  let done = false;
  return (draft) => {
    if (done || draft.type !== 'decision' || draft.data['outcome'] !== outcome) return draft;
    done = true;
    const body = JSON.parse(String(draft.body)) as Members;
    const data: Members = { ...draft.data };
    change(body, data);
    return { ...draft, data, body: canonicalize(body) };
  };
}

const digest = (kind: DigestKind, value: RecordValue | undefined): string => digestRecord(kind, value ?? null);

/** The record follows what was changed beside it, and the entry the record: every hash fits. */
function refit(body: Members, data: Members, change: (decision: Members) => void): void {
  const decision = body['decision'] as Members;
  change(decision);
  for (const name of ['intent', 'facts'] as const) {
    decision[name] = digest(name, body[name]);
    data[name] = decision[name];
  }
  const policy = decision['policy'] as Members;
  for (const name of ['outcome', 'code'] as const) data[name] = decision[name] ?? '';
  data['policy'] = policy['digest'] ?? '';
  data['decision'] = digest('decision', decision);
}

const codes = ({ failures }: PartReport): string[] => failures.map(({ code }) => code);

describe('the replay of decisions', () => {
  it('gives every record again, byte for byte, whether or not Cedar is asked each time', async () => {
    const home = await record();
    const whole = judge(home);
    expect(whole).toMatchObject({ ok: true, open: false, counts: { decisions, same: decisions, generations: 1 } });
    expect(judge(home, undefined, true).counts).toEqual(whole.counts);
  });

  it('may be shared out: each share judges its own, and together all of them', async () => {
    const home = mkdtempSync(join(tmpdir(), 'cordon-replay-'));
    made.push(home);
    await recordLedger({ home, decisions: 600, sessions: 2, grants: 4, paths: 3 });
    const shares = [0, 1].map((index) => judge(home, { index, of: 2 }));
    expect(shares.every(({ counts }) => (counts['same'] ?? 0) > 100)).toBe(true);
    expect(mergeParts(shares)).toMatchObject({ ok: true, counts: { decisions: 600, same: 600 } });
    const one = await runDecisions({
      journals: join(home, 'ledger', 'journal', 'local'),
      engines: [],
      keys: null,
      every: false,
    });
    expect(one.counts).toEqual(mergeParts(shares).counts);
  });

  it('finds an allow where policy denied, though every hash was made to fit', async () => {
    const forge = forgeOne('deny', (body, data) =>
      refit(body, data, (decision) => Object.assign(decision, { outcome: 'allow', code: 'allowed' })),
    );
    const report = judge(await record(forge));
    expect(codes(report)).toEqual(['decision']);
    expect(report.failures[0]?.detail).toContain('outcome is recorded as "allow", and is "deny"');
    expect(report.counts['same']).toBe(decisions - 1);
  });

  it('finds another fact that leads to the same answer by other reasons, and one whose hash was left', async () => {
    const fact = (body: Members): void => {
      body['facts'] = { ...(body['facts'] as Members), live: false };
    };
    const fitted = forgeOne('allow', (body, data) => {
      fact(body);
      refit(body, data, () => undefined);
    });
    expect(codes(judge(await record(fitted)))).toEqual(['decision']);
    expect(codes(judge(await record(forgeOne('allow', fact))))).toEqual(['facts']);
  });

  it('finds another intent, and a clear part that says something else than the sealed one', async () => {
    const intent = (body: Members): void => {
      body['intent'] = { ...(body['intent'] as Members), resource: 'https://api1.example.com:443' };
    };
    expect(codes(judge(await record(forgeOne('allow', intent))))).toEqual(['intent']);
    const clear = [
      'outcome',
      'code',
      'action',
      'resource',
      'agent',
      'attempt',
      'policy',
      'generation',
      'effect',
      'bytesOut',
    ];
    for (const member of clear) {
      const home = await record(forgeOne('deny', (_, data) => Object.assign(data, { [member]: 'something' })));
      expect([member, ...codes(judge(home))]).toEqual([member, 'record']);
    }
  });

  it('finds counters, labels, flow facts and rates in clear that are not those of the facts', async () => {
    const within = (name: string, more: Members) => (_: Members, data: Members) =>
      Object.assign(data, { [name]: { ...(data[name] as Members), ...more } });
    const without = (name: string) => (_: Members, data: Members) => void delete data[name];
    const facts = [
      within('counters', { noted: 7 }),
      within('labels', { leakUsed: 7 }),
      within('flow', { ctxInteg: 4 }),
      without('counters'),
      without('labels'),
      without('flow'),
    ];
    for (const change of facts) expect(codes(judge(await record(forgeOne('allow', change))))).toEqual(['facts']);
    const rates = forgeOne('allow', (_, data) => Object.assign(data, { rates: ['rate:1/1ms@session/x'] }));
    expect(codes(judge(await record(rates)))).toEqual(['record']);
  });

  it('finds a changed bundle: the tenant layer, the session layer, or one generation with two contents', async () => {
    const widen = (text: string): string => text.replaceAll('acme', 'other');
    const session = await record((draft) =>
      draft.type === 'session.start' ? { ...draft, body: widen(String(draft.body)) } : draft,
    );
    expect(new Set(codes(judge(session)))).toEqual(new Set(['policy']));
    const tenant = await record((draft) =>
      draft.type === 'policy' ? { ...draft, body: String(draft.body).replace('context.live', 'true') } : draft,
    );
    expect(new Set(codes(judge(tenant)))).toEqual(new Set(['policy']));
    let again: EntryDraft | null = null;
    const twice = await record((draft) => {
      if (draft.type === 'policy') again = { ...draft, body: String(draft.body).replace('context.live', 'true') };
      if (draft.type !== 'session.start' || again === null) return draft;
      const second: EntryDraft = again;
      again = null;
      return second;
    });
    expect(codes(judge(twice))).toContain('generation');
  });

  it('finds that a policy was never put on record', async () => {
    for (const type of ['policy', 'session.start']) {
      const report = judge(await record((draft) => (draft.type === type ? null : draft)));
      expect(new Set(codes(report)), type).toEqual(new Set(['policy']));
      expect(report.counts['failures']).toBe(decisions);
    }
  });

  it('lets a gateway add a no, never a yes', async () => {
    const home = await record(forgeOne('deny', (_, data) => Object.assign(data, { by: 'gateway' })));
    // Where policy denied anyway, its own record is what the gateway's must look like but for the code.
    expect(judge(home).counts['failures']).toBe(1);
    const yes = forgeOne('deny', (body, data) => {
      data['by'] = 'gateway';
      refit(body, data, (decision) => Object.assign(decision, { outcome: 'allow' }));
    });
    expect(codes(judge(await record(yes)))).toEqual(['decision']);
  });

  it('names an engine that is not here, and never counts its decisions as good', async () => {
    const other = `sha256:${'e'.repeat(64)}`;
    const forge = forgeOne('allow', (body, data) =>
      refit(body, data, (decision) => Object.assign(decision['policy'] as Members, { engine: other })),
    );
    const report = judge(await record(forge));
    expect(report).toMatchObject({ ok: true, open: true, counts: { notReplayable: 1, same: decisions - 1 } });
    expect(report.notes.join()).toContain(other);
  });

  it('judges what an earlier engine decided by that engine, where it was kept', async () => {
    const home = mkdtempSync(join(tmpdir(), 'cordon-replay-'));
    made.push(home);
    // A custom section (WebAssembly core 2.5.2) changes nothing but the digest, as another version does.
    const earlier = join(home, 'earlier.wasm');
    writeFileSync(earlier, Buffer.concat([readFileSync(engineFile), Buffer.from('\0\u0005\u0004earl', 'latin1')]));
    await recordLedger({ home, decisions, sessions: 2, grants: 6, engine: earlier });
    const order = { journals: join(home, 'ledger', 'journal', 'local'), keys: null, every: false };
    const upgraded = await runDecisions({ ...order, engines: [earlier] });
    expect(upgraded).toMatchObject({ ok: true, open: false, counts: { decisions, same: decisions } });
    const lost = await runDecisions({ ...order, engines: [] });
    expect(lost).toMatchObject({ ok: true, open: true, counts: { decisions, notReplayable: decisions } });
  });

  describe('of sealed bodies', () => {
    const tenantKey = Buffer.alloc(32, 3);
    const random = { bytes: (count: number) => randomBytes(count) };
    const keysOf = (home: string) =>
      new KeyStore({ directory: join(home, 'keys', 'bodies'), tenant: 'local', tenantKey }, random);

    async function recordSealed(shredded: string | null): Promise<string> {
      const home = mkdtempSync(join(tmpdir(), 'cordon-replay-'));
      made.push(home);
      const keys = keysOf(home);
      const sealing = { keyFor: (session: string | null) => (session === null ? null : keys.of(session)), random };
      await recordLedger({ home, decisions, sessions: 2, grants: 6, journal: { sealing } });
      if (shredded === null) return home;
      const directory = join(home, 'ledger', 'journal', 'local');
      await using control = await openJournal({ directory, tenant: 'local', writer: 'cp', clock: { now: () => 0 } });
      await control.append({ session: null, type: 'shred', data: { session: shredded, key: `k_${shredded}` } }, 'disk');
      return home;
    }
    const judgeSealed = (home: string, keys?: BodyKeys): PartReport =>
      verifyDecisions({
        journals: join(home, 'ledger', 'journal', 'local'),
        replay: createReplay(engines),
        ...(keys === undefined ? {} : { keys }),
      });
    const [first] = ['ses_00000000000000000000000000'] as const;

    it('needs the keys: without them nothing is good and nothing is wrong', async () => {
      const home = await recordSealed(null);
      expect(judgeSealed(home, keysOf(home))).toMatchObject({ ok: true, open: false, counts: { same: decisions } });
      const without = judgeSealed(home);
      expect(without).toMatchObject({ ok: true, open: true, counts: { notReplayable: decisions } });
      expect(without.counts['same']).toBeUndefined();
    });

    it('counts what was shredded as not replayable, and says when a key went without a word', async () => {
      const home = await recordSealed(first);
      keysOf(home).destroy(first);
      const report = judgeSealed(home, keysOf(home));
      expect(report).toMatchObject({ ok: true, open: true, counts: { notReplayable: 20, same: 20, shredded: 1 } });
      const silent = await recordSealed(null);
      keysOf(silent).destroy(first);
      expect(new Set(codes(judgeSealed(silent, keysOf(silent))))).toEqual(new Set(['key']));
    });

    it('says when a key that was said to be shredded still opens', async () => {
      const home = await recordSealed(first);
      expect(codes(judgeSealed(home, keysOf(home)))).toEqual(['shred']);
    });

    it('says when a body does not open with its key', async () => {
      const home = await recordSealed(null);
      const other = {
        find: (id: string) => (id === `k_${first}` ? createSecretKey(Buffer.alloc(32, 9)) : keysOf(home).find(id)),
      };
      expect(codes(judgeSealed(home, other))).toContain('seal');
    });
  });

  it('takes no file for an engine that is none', async () => {
    const home = await record();
    const file = join(home, 'odd.wasm');
    writeFileSync(file, 'not wasm');
    const journals = join(home, 'ledger', 'journal', 'local');
    expect((await runDecisions({ journals, engines: [file], keys: null, every: false })).counts['same']).toBe(
      decisions,
    );
  });
});
