// The steps of an endorsement one by one, over a real database: what a disk that fails, a stop in between, time, a new
// control plane and many at once leave behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { digestHold, usualFlow } from '@cordon/policy';
import {
  canonicalize,
  createId,
  type EndorsementRecord,
  type EndorsementTaken,
  type EndorsementUse,
  endorsementReceiptType,
  endorsementType,
  type Hold,
  type Intent,
  type Recorded,
  type RecordValue,
  sealRecord,
  systemRandom,
  type TenantPolicy,
} from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openEnvelope, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { openStore, type Store, type StoredEndorsement, type StoredHold } from '@cordon/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EndorsementParts, Endorsements } from '../src/endorsements/endorsements.ts';
import type { Note, Recorder } from '../src/ledger/recorder.ts';
import type { LiveSession } from '../src/sessions/live.ts';
import type { SessionRegistry } from '../src/sessions/registry.ts';
import type { StopScope, StopTable } from '../src/stops/table.ts';

const iss = 'local:0123456789abcdef';
const keys = { ada: createSigningKey(), bob: createSigningKey(), eve: createSigningKey() };
const receiptKey = createSigningKey();
const id = (kind: string, letter: string): string => `${kind}_0${letter.repeat(25)}`;
const [one, other] = [id('ses', 'a'), id('ses', 'b')];
/** Who is in which group now. */
let groupsOf: Record<'ada' | 'bob', readonly string[]>;
let excluded: string[] = [];
const zeros = `sha256:${'0'.repeat(64)}`;
const policy = { generation: 1, revision: 1, digest: zeros, engine: zeros };
const flow = { ...usualFlow, destInteg: 0 };
const rung = { quorum: 1, strong: false };
const acme = ['account github/acme'];

const sessionOf = (session: string): LiveSession =>
  ({
    ...{ id: session, agent: 'robot', state: 'running' },
    policy: {
      ...{ tenant: 'local', session, agent: 'robot', chain: 'c', salt: 's', person: 'ada', profile: 'generic' },
      ...{ startedAt: '', revision: 1, layer: {} },
    },
  }) as unknown as LiveSession;

const intentOf = (session: string, file = 'app/issues'): Intent =>
  sealRecord({
    ...{ v: 'intent/1' as const, tenant: 'local', session, agent: 'robot', chain: 'c', salt: 's' },
    ...{ action: 'http.request' as const, resource: 'https://api.github.com:443' },
    args: { method: 'POST', path: `/repos/acme/${file}`, query: [], headers: [] },
    payload: { sha256: 'f'.repeat(64), bytes: 10, kind: 'json' as const },
  });

let folder = '';
let store: Store;
let now = 0;
let generation = 1;
let alive = new Set<string>();
let stops: StopScope[] = [];
let holds = new Map<string, StoredHold>();
let answered = new Set<string>();
let notes: Note[] = [];
let changes: StoredEndorsement[] = [];
/** What the ledger does with the next entry. */
let ledger: (note: Note) => Promise<void>;
let endorsements: Endorsements;

const open = (): Promise<Endorsements> =>
  Endorsements.open({
    ...{ store: store.endorsements, signer: openSigningKey(receiptKey.privatePem) },
    registry: {
      find: (session: string) => (alive.has(session) ? sessionOf(session) : null),
    } as unknown as SessionRegistry,
    stops: {
      of: ({ id: session }: LiveSession) => stops.filter((scope) => !('session' in scope) || scope.session === session),
      get active() {
        return stops.map((scope) => ({ scope }));
      },
    } as unknown as StopTable,
    recorder: {
      record: async (note: Note) => {
        await ledger(note);
        notes.push(note);
        return {} as Recorded;
      },
    } as unknown as Recorder,
    people: {
      get directory() {
        return (['ada', 'bob'] as const).map((sub) => ({
          ...{ person: { iss, sub }, addedAt: '', groups: groupsOf[sub] },
          keys: [keys[sub].pinned],
        }));
      },
      local: (sub) => ({ iss, sub }),
    },
    tenant: () =>
      ({
        tenant: 'local',
        generation,
        layers: [],
        origins: [],
        expires: null,
      }) as TenantPolicy,
    held: (hold) => holds.get(hold) ?? null,
    excluded: () => excluded.map((sub) => ({ iss, sub })),
    isAnswered: (session, intent) => answered.has(`${session} ${intent}`),
    clock: { now: () => now, monotonic: () => now },
    log: { info: () => undefined, warn: () => undefined, fault: () => undefined } as unknown as EndorsementParts['log'],
    changed: (endorsement) => changes.push(endorsement),
  });

/** A question that waits, as the control plane holds it. */
function ask(letter: string, change: Partial<Hold> = {}, unnamed: readonly string[] = acme): StoredHold {
  const intent = intentOf(one);
  const record: Hold = {
    ...{ v: 'hold/1', id: id('hld', letter), kind: 'intent', attempt: 'att_1', policy, floor: flow, rung, groups: [] },
    intent: digestRecord('intent', intent as unknown as RecordValue),
    ...{ nonce: letter.repeat(32), view: zeros, expires: '2030-01-01T00:00:00.000Z' },
    ...change,
  };
  const hold = {
    ...{ record, session: one, agent: 'robot', state: 'open', version: 1, at: '', used: 0, reason: '', summary: '' },
    ...{ view: { intent, unnamed }, answers: [] },
  } as unknown as StoredHold;
  holds.set(record.id, hold);
  return hold;
}

async function sign(
  { record: hold }: StoredHold,
  change: Partial<EndorsementRecord> = {},
  who: keyof typeof keys = 'ada',
): Promise<StoredEndorsement> {
  const record = {
    ...{ v: 'endorsement/1', id: createId('endorsement', { now: () => now }, systemRandom), tenant: 'local' },
    ...{ scope: { session: one }, hold: hold.id, record: digestHold(hold), destinations: acme, uses: 3, bytes: 9000 },
    ...{ from: new Date(now).toISOString(), expires: new Date(now + 3_600_000).toISOString() },
    ...{ person: { iss, sub: who }, via: 'operator-key' },
    ...change,
  } as unknown as RecordValue;
  const envelope = signEnvelope(endorsementType, canonicalize(record), [openSigningKey(keys[who].privatePem)]);
  return await endorsements.sign(hold.id, envelope);
}

let attempts = 0;
function take(change: Partial<EndorsementUse> = {}): Promise<EndorsementTaken | null> {
  attempts += 1;
  const session = change.session ?? one;
  const asked = {
    session,
    attempt: `att_${attempts}`,
    intent: intentOf(session),
    unnamed: acme,
    policy,
    flow,
    rung,
    groups: [],
  };
  return endorsements.take({ ...asked, ...change }, 'bot_1');
}

const stateOf = async ({ terms }: StoredEndorsement) => (await store.endorsements.get(terms.id))?.state;
const patient = { timeout: 20_000 };

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'endorsed-'));
  store = await openStore(path.join(folder, 'cordon.db'));
  now = Date.parse('2026-01-01T00:00:00.000Z');
  [generation, alive, stops, holds, notes, changes] = [1, new Set([one, other]), [], new Map(), [], []];
  answered = new Set();
  [groupsOf, excluded] = [{ ada: [], bob: ['finance'] }, []];
  ledger = async () => undefined;
  endorsements = await open();
});
afterEach(async () => {
  endorsements[Symbol.dispose]();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('an endorsement', () => {
  test('is in the ledger before it can be used, each use counted and then recorded, with a receipt for one gateway', async () => {
    let seen = '';
    ledger = async ({ type, data }) => {
      const [kept] = (await store.endorsements.list({})).items;
      seen += `${type}/${String(data['act'] ?? data['use'])}:${kept?.state ?? 'none'}/${kept?.used.uses ?? 0} `;
    };
    const made = await sign(ask('a'));
    expect(made.state).toBe('active');
    const taken = await take();
    expect(seen).toBe('endorsement/sign:none/0 endorsement.used/1:active/1 ');
    const opened = openEnvelope(taken?.receipt, endorsementReceiptType, [receiptKey.pinned]);
    expect(JSON.parse(opened.ok ? opened.payload.toString() : '{}')).toMatchObject({
      ...{ endorsement: made.terms.id, attempt: 'att_1', gateway: 'bot_1', session: one, named: acme },
      ...{ used: { uses: 0, bytes: 0 }, people: [{ person: { sub: 'ada' } }], excluded: [] },
    });
    expect(notes[0]).toMatchObject({ session: one, data: { person: { sub: 'ada' }, selfApproved: true, uses: 3 } });
    // Whom it names is for those who may read the session's bodies.
    expect(JSON.stringify(notes.map(({ data }) => data))).not.toContain('acme');
    expect(notes[1]).toMatchObject({
      data: { use: 1, left: { uses: 2 }, rung },
      body: JSON.stringify({ named: acme }),
    });
  });

  test('has as many uses as it says, however many ask at once', async () => {
    const made = await sign(ask('a'), { uses: 20, bytes: 64 * 1024 * 1024 });
    const taken = await Promise.all(Array.from({ length: 1000 }, () => take()));
    expect(taken.filter((each) => each !== null)).toHaveLength(20);
    const used = notes.filter(({ type }) => type === 'endorsement.used');
    expect(used.map(({ data }) => data['use'])).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    expect(await store.endorsements.get(made.terms.id)).toMatchObject({ state: 'used', used: { uses: 20 } });
    expect(changes.at(-1)).toMatchObject({ state: 'used' });
  }, 60_000);

  test('has as many bytes as it says', async () => {
    const bytes = Buffer.byteLength(canonicalize(intentOf(one).args)) + 10;
    await sign(ask('a'), { bytes: 2 * bytes + 1 });
    expect([await take(), await take(), await take()].map((each) => each !== null)).toEqual([true, true, false]);
    await sign(ask('b'), { bytes });
    expect([await take(), await take()].map((each) => each !== null)).toEqual([true, false]);
  });

  test('is for its session and its names, or for every session of its agent', async () => {
    await sign(ask('a'));
    expect(await take({ session: other })).toBeNull();
    expect(await take({ unnamed: ['account github/evil'] })).toBeNull();
    expect(await take({ unnamed: [...acme, 'email x@y.example'] })).toBeNull();
    expect(await take({ rung: { quorum: 2, strong: false } })).toBeNull();
    expect(await take({ flow: { ...flow, ctxInteg: 0 } })).toBeNull();
    expect(await take({ flow: { ...flow, argConf: 3 } })).toBeNull();
    expect(notes.filter(({ type }) => type === 'endorsement.used')).toEqual([]);
    await sign(ask('b'), { scope: { agent: 'robot' } });
    expect(await take({ session: other })).not.toBeNull();
  });

  test('is no answer to bytes that a person has answered: a no stays a no, and a yes is used first', async () => {
    await sign(ask('a'));
    const intent = intentOf(one);
    answered.add(`${one} ${digestRecord('intent', intent as unknown as RecordValue)}`);
    expect(await take()).toBeNull();
    expect(await take({ intent: intentOf(one, 'app/pulls') })).not.toBeNull();
  });

  test('is taken by a gateway that says what is so', async () => {
    await sign(ask('a'));
    const intent = intentOf(one);
    for (const [change, code] of [
      [{ intent: { ...intent, tenant: 'other' } }, 'hold-mismatch'],
      [{ intent: { ...intent, agent: 'other' } }, 'hold-mismatch'],
      [{ intent: { ...intent, session: other } }, 'hold-mismatch'],
      [{ intent: { ...intent, salt: 'x' } }, 'hold-mismatch'],
      [{ session: id('ses', 'c') }, 'session-ended'],
      [{ policy: { ...policy, generation: 2 } }, 'hold-stale'],
      [{ flow: { ...flow, ctxInteg: 9 } }, 'request-invalid'],
      [{ rung: { quorum: 0, strong: false } }, 'request-invalid'],
      [{ more: 1 } as Partial<EndorsementUse>, 'request-invalid'],
    ] as const) {
      await expect(take(change), JSON.stringify(change)).rejects.toMatchObject({ code });
    }
  });

  test('takes two different people where the question does, who sign the same', async () => {
    const hold = ask('a', { rung: { quorum: 2, strong: false } });
    const first = await sign(hold);
    expect(first.state).toBe('open');
    expect(await take()).toBeNull();
    await expect(sign(hold, first.terms)).rejects.toMatchObject({ code: 'endorsement-person-twice' });
    await expect(sign(hold, { ...first.terms, uses: 9 }, 'bob')).rejects.toMatchObject({
      code: 'endorsement-other-terms',
    });
    expect((await sign(hold, first.terms, 'bob')).state).toBe('active');
    expect((await take({ rung: { quorum: 2, strong: false } }))?.endorsements).toHaveLength(2);
    await expect(sign(hold, first.terms, 'bob')).rejects.toMatchObject({ code: 'hold-settled' });
  });
});

describe('a signature is refused', () => {
  test('whoever cannot give it, or gives it for something else', async () => {
    const hold = ask('a');
    const later = new Date(now + 10 * 60_000).toISOString();
    const refused: ReadonlyArray<readonly [Partial<EndorsementRecord>, keyof typeof keys, string]> = [
      [{}, 'eve', 'endorsement-signature'],
      [{ person: { iss, sub: 'ada' } }, 'bob', 'endorsement-person'],
      [{ hold: id('hld', 'b') }, 'ada', 'endorsement-other-hold'],
      [{ record: `sha256:${'1'.repeat(64)}` }, 'ada', 'endorsement-other-hold'],
      [{ tenant: 'other' }, 'ada', 'endorsement-other-tenant'],
      [{ scope: { session: other } }, 'ada', 'endorsement-other-session'],
      [{ scope: { agent: 'other' } }, 'ada', 'endorsement-other-session'],
      [{ destinations: ['account github/evil'] }, 'ada', 'endorsement-other-place'],
      [{ uses: 1001 }, 'ada', 'endorsement-malformed'],
      [{ bytes: 3 }, 'ada', 'endorsement-bytes'],
      [{ from: later, expires: new Date(now + 20 * 60_000).toISOString() }, 'ada', 'endorsement-expired'],
      [{ expires: new Date(now + 9 * 3_600_000).toISOString() }, 'ada', 'endorsement-malformed'],
    ];
    for (const [change, who, code] of refused) {
      await expect(sign(hold, change, who), JSON.stringify(change)).rejects.toMatchObject({ code });
    }
    excluded = ['ada'];
    await expect(sign(hold)).rejects.toMatchObject({ code: 'endorsement-four-eyes' });
    expect((await sign(hold, {}, 'bob')).state).toBe('active');
    expect(notes).toHaveLength(1);
  });

  test('of what does not wait for a name, waits for secrets, or does not wait any more', async () => {
    await expect(sign(ask('a', {}, []))).rejects.toMatchObject({ code: 'endorsement-nothing' });
    await expect(sign(ask('b', { floor: { ...flow, ctxConf: 3 } }))).rejects.toMatchObject({
      code: 'endorsement-secret',
    });
    const finance = ask('c', { groups: ['finance'] });
    await expect(sign(finance)).rejects.toMatchObject({ code: 'endorsement-group' });
    const gone = ask('d');
    holds.delete(gone.record.id);
    await expect(sign(gone)).rejects.toMatchObject({ code: 'hold-settled' });
    stops = [{ session: one }];
    await expect(sign(ask('e'))).rejects.toMatchObject({ code: 'session-stopped' });
    expect(await store.endorsements.live()).toEqual([]);
  });

  test('under an id that was there, and beyond as many as may be', async () => {
    const hold = ask('a');
    const { terms } = await sign(hold, { uses: 1 });
    await take();
    await expect(sign(hold, terms)).rejects.toMatchObject({ code: 'conflict' });
    for (let made = 0; made < 16; made += 1) await sign(hold);
    await expect(sign(hold)).rejects.toMatchObject({ code: 'endorsement-limit' });
  });
});

describe('what fails, or comes in between', () => {
  const failing = (type: string) => (note: Note) =>
    note.type === type ? Promise.reject(new TypeError('full')) : Promise.resolve();

  test('costs a use and lets nothing through', async () => {
    ledger = failing('endorsement');
    await expect(sign(ask('a'))).rejects.toThrow('full');
    expect(await store.endorsements.live()).toEqual([]);
    ledger = async () => undefined;
    const made = await sign(ask('b'), { uses: 2 });
    ledger = failing('endorsement.used');
    await expect(take()).rejects.toThrow('full');
    ledger = async () => undefined;
    expect(await take()).not.toBeNull();
    expect(await take()).toBeNull();
    expect(await stateOf(made)).toBe('used');
  });

  test('a stop, a withdrawal and a new policy win over a use that is being written', async () => {
    const meanwhile: ReadonlyArray<readonly [string, (made: StoredEndorsement) => unknown]> = [
      ['void', () => endorsements.voidWithin({ session: one }, 'session-stopped')],
      ['void', () => endorsements.voidWithin({ agent: 'robot' }, 'session-stopped')],
      ['void', () => endorsements.voidSessions([one], 'session-ended')],
      ['withdrawn', ({ terms }) => void endorsements.withdraw(terms.id, 'ada')],
    ];
    for (const [state, happens] of meanwhile) {
      ledger = async () => undefined;
      const made = await sign(ask('a'));
      ledger = async ({ type }) => {
        if (type === 'endorsement.used') happens(made);
      };
      expect(await take()).toBeNull();
      await expect.poll(() => stateOf(made), patient).toBe(state);
    }
    // Also while the use is counted: what was ended then does not come back with the count.
    ledger = async () => undefined;
    const counted = await sign(ask('a'));
    const { endorsements: kept } = store;
    const update = kept.update.bind(kept);
    let happens = (): void => endorsements.voidWithin({ session: one }, 'session-stopped');
    kept.update = async (...change) => {
      await update(...change);
      happens();
    };
    expect(await take()).toBeNull();
    happens = () => undefined;
    expect(await take()).toBeNull();
    await expect.poll(() => stateOf(counted), patient).toBe('void');
    // The last use is out of the list of those that can be void, and a stop still stops it.
    ledger = async () => undefined;
    await sign(ask('a'), { uses: 1 });
    ledger = async ({ type }) => {
      if (type === 'endorsement.used') stops = [{ session: one }];
    };
    await expect(take()).rejects.toMatchObject({ code: 'session-stopped' });
  });

  test('the end of the question while a signature is written leaves nothing in force', async () => {
    const hold = ask('a');
    ledger = async () => void holds.delete(hold.record.id);
    await expect(sign(hold)).rejects.toMatchObject({ code: 'hold-settled' });
    expect(await take()).toBeNull();
    expect(await store.endorsements.live()).toEqual([]);
  });
});

describe('it ends', () => {
  test('with its time, with a withdrawal, and with nobody’s word after that', async () => {
    const made = await sign(ask('a'));
    const withdrawn = await sign(ask('b'));
    expect(await endorsements.withdraw(withdrawn.terms.id, 'ada')).toMatchObject({ state: 'withdrawn' });
    await expect(endorsements.withdraw(withdrawn.terms.id, 'ada')).rejects.toMatchObject({ code: 'hold-settled' });
    await expect(endorsements.withdraw(id('end', 'z'), 'ada')).rejects.toMatchObject({ code: 'not-found' });
    expect(await take()).not.toBeNull();
    now += 3_600_000;
    expect(await take()).toBeNull();
    await expect.poll(() => stateOf(made), patient).toBe('expired');
    expect(notes.filter(({ type }) => type === 'endorsement').map(({ data }) => data['act'])).toEqual([
      ...['sign', 'sign', 'withdrawn', 'expired'],
    ]);
  });

  test('when who signed leaves the list, or the group that was asked', async () => {
    await sign(ask('c'), { uses: 9 });
    excluded = ['ada'];
    expect(await take()).toBeNull();
    excluded = [];
    expect(await take()).not.toBeNull();
    const finance = ask('a', { groups: ['finance'] });
    const made = await sign(finance, {}, 'bob');
    const anybody = await sign(ask('b'));
    expect(await take({ groups: ['finance'] })).not.toBeNull();
    expect(await take({ groups: ['legal'] })).toBeNull();
    groupsOf = { ada: [], bob: [] };
    expect(await take({ groups: ['finance'] })).toBeNull();
    endorsements.voidUncounted();
    await expect.poll(() => stateOf(made), patient).toBe('void');
    expect([await stateOf(anybody), (await store.endorsements.get(made.terms.id))?.reason]).toEqual([
      'active',
      'people-changed',
    ]);
  });

  test('of an agent with a stop of any session of it, or of the agent while nothing of it is alive', async () => {
    const scope = { agent: 'robot' };
    for (const stop of [{ session: other }, { agent: 'robot' }, { all: true } as const]) {
      const made = await sign(ask('a'), { scope });
      endorsements.voidSessions([one], 'session-ended');
      expect(await take({ session: other })).not.toBeNull();
      endorsements.voidWithin(stop as StopScope, 'session-stopped');
      expect(await take({ session: other }), JSON.stringify(stop)).toBeNull();
      await expect.poll(() => stateOf(made), patient).toBe('void');
    }
    const made = await sign(ask('a'), { scope });
    endorsements.voidWithin({ agent: 'another' }, 'session-stopped');
    generation = 2;
    endorsements.voidStale();
    await expect.poll(() => stateOf(made), patient).toBe('void');
  });
});

describe('a control plane that starts', () => {
  const restart = async (): Promise<void> => {
    endorsements[Symbol.dispose]();
    endorsements = await open();
  };

  test('goes on with what was in force, and with what was left of it', async () => {
    const hold = ask('a', { rung: { quorum: 2, strong: false } });
    const first = await sign(hold, { uses: 2 });
    await restart();
    await sign(hold, first.terms, 'bob');
    await restart();
    expect(await take()).not.toBeNull();
    await restart();
    expect(await take()).not.toBeNull();
    await restart();
    expect(await take()).toBeNull();
  });

  test('voids what no longer stands', async () => {
    const standing: Array<[string, () => void]> = [
      ['session-ended', () => alive.delete(one)],
      ['session-stopped', () => stops.push({ session: one })],
      ['session-stopped', () => stops.push({ agent: 'robot' })],
      ['policy-changed', () => (generation = 2)],
    ];
    for (const [why, happens] of standing) {
      const made = await sign(ask('a'));
      happens();
      await restart();
      [alive, stops, generation] = [new Set([one, other]), [], 1];
      expect(await take(), why).toBeNull();
      await expect.poll(() => stateOf(made), patient).toBe('void');
      expect((await store.endorsements.get(made.terms.id))?.reason).toBe(why);
    }
  });

  test('believes nothing that its database made up', async () => {
    const { terms, version } = await sign(ask('a'));
    await store.endorsements.update(terms.id, version, { signed: [] });
    await restart();
    expect(await take()).toBeNull();
    const envelope = {
      payloadType: endorsementType,
      payload: 'e30=',
      signatures: [{ keyid: keys.ada.pinned.id, sig: 'AA==' }],
    };
    await store.endorsements.update(terms.id, version + 1, { signed: [{ envelope, at: '' }] });
    await restart();
    expect(await take()).toBeNull();
    expect(notes.filter(({ type }) => type === 'endorsement.used')).toEqual([]);
  });
});
