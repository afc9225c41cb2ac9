// The steps of a hold one by one, over a real database: what a disk that fails, a stop in between, time and a new
// control plane leave behind.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { usualFlow } from '@cordon/policy';
import {
  approvalType,
  type BudgetRaise,
  canonicalize,
  type HoldOrder,
  type Recorded,
  type RecordValue,
  systemRandom,
  type TenantPolicy,
  type View,
  viewLines,
} from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import { createSigningKey, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { openStore, type Store, type StoredHold } from '@cordon/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Approvals } from '../src/approvals/approvals.ts';
import type { Earlier } from '../src/approvals/earlier.ts';
import type { ApprovalParts } from '../src/approvals/parts.ts';
import type { Note, Recorder } from '../src/ledger/recorder.ts';
import type { LiveSession } from '../src/sessions/live.ts';
import type { SessionRegistry } from '../src/sessions/registry.ts';
import type { StopTable } from '../src/stops/table.ts';

const iss = 'local:0123456789abcdef';
const ada = createSigningKey();
const signer = openSigningKey(createSigningKey().privatePem);
const zeros = `sha256:${'0'.repeat(64)}`;
const session = {
  ...{ id: 'ses_a', agent: 'robot', state: 'running' },
  policy: {
    tenant: 'local',
    session: 'ses_a',
    agent: 'robot',
    chain: 'c',
    salt: 's',
    person: 'ada',
    profile: 'generic',
    startedAt: '2026-01-01T00:00:00.000Z',
    revision: 1,
    layer: {},
  },
} as unknown as LiveSession;

let folder = '';
let store: Store;
let now = Date.parse('2026-01-01T00:00:00.000Z');
let alive = true;
let stopped = false;
let generation = 1;
let questions = Number.POSITIVE_INFINITY;
let raised: BudgetRaise[] = [];
let notes: Note[] = [];
let changes: StoredHold[] = [];
/** What the ledger does with the next entry of a type. */
let ledger: (note: Note) => Promise<void> = async () => undefined;
let approvals: Approvals;

const open = (): Promise<Approvals> =>
  Approvals.open({
    ...{ store: store.holds, signer, random: systemRandom },
    registry: { find: (id: string) => (alive && id === session.id ? session : null) } as unknown as SessionRegistry,
    stops: { of: () => (stopped ? [{}] : []) } as unknown as StopTable,
    recorder: {
      record: async (note: Note) => {
        await ledger(note);
        notes.push(note);
        return {} as Recorded;
      },
    } as unknown as Recorder,
    people: {
      directory: [{ person: { iss, sub: 'ada' }, addedAt: '', keys: [ada.pinned], groups: [] }],
      operator: { iss, sub: 'ada' },
      local: (sub) => ({ iss, sub }),
    },
    authors: () => [],
    earlier: { last: async () => null, seal: () => ({}) } as unknown as Earlier,
    tenant: () => ({ tenant: 'local', generation, layers: [], origins: [], expires: null }) as TenantPolicy,
    clock: { now: () => now, monotonic: () => now },
    log: { info: () => undefined, warn: () => undefined, fault: () => undefined } as unknown as ApprovalParts['log'],
    payQuestion: async () => questions-- > 0,
    raise: async (_session, raise) => {
      raised.push(raise);
      return true;
    },
    changed: (hold) => changes.push(hold),
  });

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'holds-'));
  store = await openStore(path.join(folder, 'cordon.db'));
  [alive, stopped, generation, notes, changes] = [true, false, 1, [], []];
  ledger = async () => undefined;
  [questions, raised] = [Number.POSITIVE_INFINITY, []];
  approvals = await open();
});
afterEach(async () => {
  approvals[Symbol.dispose]();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

function order(body = 'x'): HoldOrder {
  const payload = { sha256: digestBytes(body).slice(7), bytes: body.length, kind: 'text' as const };
  const { tenant, agent, chain, salt } = session.policy;
  const intent = { v: 'intent/1', tenant, session: 'ses_a', agent, chain, salt, action: 'http.request' };
  return {
    ...{
      session: 'ses_a',
      attempt: 'att_1',
      payload: { encoding: 'utf8', data: body },
      effect: 'share',
      undoable: false,
    },
    intent: {
      ...intent,
      resource: 'https://a.example:443',
      args: { method: 'POST', path: '/' },
      payload,
    } as HoldOrder['intent'],
    ...{
      flow: { ...usualFlow },
      unnamed: [],
      rung: { quorum: 1, strong: false },
      groups: [],
      code: 'approval-required',
      reasons: [],
    },
    policy: { generation: 1, revision: 1, digest: zeros, engine: zeros },
  };
}

async function use(hold: string, body = 'x') {
  const { intent, policy, flow } = order(body);
  const digest = digestRecord('intent', intent as unknown as RecordValue);
  return await approvals.use({ hold, session: 'ses_a', attempt: 'att_2', intent: digest, policy, flow }, 'bot_1');
}

async function yes(id: string, uses = 1): Promise<StoredHold> {
  const record = (await store.holds.get(id))?.record;
  if (record === undefined) throw new TypeError(id);
  const answer = {
    ...{
      v: 'approval/1',
      hold: id,
      intent: record.intent,
      policy: record.policy,
      nonce: record.nonce,
      view: record.view,
    },
    ...{ verdict: 'approve', person: { iss, sub: 'ada' }, via: 'operator-key', uses, expires: record.expires },
  } as unknown as RecordValue;
  const envelope = signEnvelope(approvalType, canonicalize(answer), [openSigningKey(ada.privatePem)]);
  return await approvals.answer(id, envelope, '', null);
}

const typesOf = (): string[] => notes.map(({ type, data }) => (type === 'hold' ? `hold ${String(data['act'])}` : type));
const failing = (type: string) => (note: Note) =>
  note.type === type
    ? Promise.reject(Object.assign(new TypeError('full'), { code: 'ledger-unavailable' }))
    : Promise.resolve();

const patient = { timeout: 20_000 };
const stateOf = async (hold: string): Promise<string | undefined> => (await store.holds.get(hold))?.state;

describe('a step', () => {
  test('is in the ledger before anybody can see or use it', async () => {
    let visible = '';
    ledger = async ({ type }) => {
      const [hold] = (await store.holds.list({})).items;
      visible += `${type}:${hold?.state ?? 'none'}/${hold?.used ?? 0} `;
    };
    const { hold } = await approvals.open(order());
    await yes(hold);
    await use(hold);
    // The use alone is counted before it is recorded, so that no crash in between gives it twice.
    expect(visible).toBe('hold:none/0 approval:open/0 approval.used:used/1 ');
  });

  test('that the ledger does not take is not made; a use that it does not take is gone', async () => {
    ledger = failing('hold');
    await expect(approvals.open(order())).rejects.toThrow('full');
    expect((await store.holds.list({})).items).toEqual([]);
    ledger = failing('approval');
    const { hold } = await approvals.open(order());
    await expect(yes(hold)).rejects.toThrow('full');
    expect(await store.holds.get(hold)).toMatchObject({ state: 'open', answers: [] });
    ledger = failing('approval.used');
    await yes(hold);
    await expect(use(hold)).rejects.toThrow('full');
    ledger = async () => undefined;
    await expect(use(hold)).rejects.toMatchObject({ code: 'hold-settled' });
    expect(await store.holds.get(hold)).toMatchObject({ state: 'used', used: 1 });
  });

  test('is overtaken by a stop that comes while it is written', async () => {
    const stopMeanwhile = (type: string) => async (note: Note) => {
      if (note.type !== type) return;
      stopped = true;
      approvals.voidSessions(['ses_a'], 'session-stopped');
    };
    ledger = stopMeanwhile('hold');
    await expect(approvals.open(order())).rejects.toMatchObject({ code: 'hold-settled' });
    for (const type of ['approval', 'approval.used']) {
      [stopped, ledger] = [false, async () => undefined];
      const { hold } = await approvals.open(order(type));
      if (type === 'approval.used') await yes(hold, 2);
      ledger = stopMeanwhile(type);
      await expect(type === 'approval' ? yes(hold) : use(hold, type), type).rejects.toMatchObject({
        code: expect.stringMatching(/^(hold-settled|session-stopped)$/),
      });
      await expect.poll(() => stateOf(hold), patient).toBe('void');
    }
    const states = async () => (await store.holds.list({})).items.map(({ state }) => state);
    // The last use is out of the list of those that can be void, and a stop still stops it.
    [stopped, ledger] = [false, async () => undefined];
    const { hold } = await approvals.open(order('last'));
    await yes(hold);
    ledger = stopMeanwhile('approval.used');
    await expect(use(hold, 'last')).rejects.toMatchObject({ code: 'session-stopped' });
    await expect.poll(states, patient).toEqual(['used', 'void', 'void', 'void']);
  });
});

describe('time', () => {
  test('ends a question, an approval and a no', async () => {
    const [open1, approved, denied] = [
      await approvals.open(order('1')),
      await approvals.open(order('2')),
      await approvals.open(order('3')),
    ];
    await yes(approved.hold);
    const record = (await store.holds.get(denied.hold))?.record;
    expect(record?.expires).toBe('2026-01-01T00:15:00.000Z');
    now += 15 * 60_000;
    await expect(use(approved.hold, '2')).rejects.toMatchObject({ code: 'approval-expired' });
    await expect(yes(open1.hold)).rejects.toMatchObject({ code: 'approval-expired' });
    // Asked again it is another question.
    expect((await approvals.open(order('3'))).hold).not.toBe(denied.hold);
    await expect.poll(async () => (await store.holds.get(open1.hold))?.state, patient).toBe('expired');
    await expect.poll(async () => (await store.holds.get(approved.hold))?.state, patient).toBe('expired');
    expect(typesOf()).toContain('hold expired');
  });
});

describe('a control plane that starts', () => {
  const restart = async (): Promise<void> => {
    approvals[Symbol.dispose]();
    approvals = await open();
  };

  test('goes on with what was open and approved, and with every use that was left', async () => {
    const [one, two] = [await approvals.open(order('1')), await approvals.open(order('2'))];
    await yes(one.hold, 3);
    await use(one.hold, '1');
    await restart();
    expect((await approvals.open(order('1'))).state).toBe('approved');
    expect((await use(one.hold, '1')).approvals).toHaveLength(1);
    await restart();
    await use(one.hold, '1');
    await restart();
    await expect(use(one.hold, '1')).rejects.toMatchObject({ code: 'hold-settled' });
    expect((await yes(two.hold)).state).toBe('approved');
  });

  test('voids what no longer stands', async () => {
    const standing: Array<[string, () => void]> = [
      ['session-ended', () => (alive = false)],
      ['session-stopped', () => (stopped = true)],
      ['policy-changed', () => (generation = 2)],
    ];
    for (const [why, happens] of standing) {
      [alive, stopped, generation] = [true, false, 1];
      const { hold } = await approvals.open(order(why));
      await yes(hold);
      happens();
      await restart();
      await expect.poll(async () => (await store.holds.get(hold))?.state, patient).toBe('void');
      [alive, stopped, generation] = [true, false, 1];
      await expect(use(hold, why), why).rejects.toMatchObject({ code: 'hold-settled' });
      expect((await store.holds.get(hold))?.reason).toBe(why);
    }
  });

  test('remembers a no', async () => {
    const { hold } = await approvals.open(order());
    await store.holds.update(hold, 1, { state: 'denied', reason: 'no', view: null });
    await restart();
    expect(await approvals.open(order())).toMatchObject({ hold, state: 'denied', reason: 'no' });
  });

  test('believes no approval that its database made up', async () => {
    const { hold } = await approvals.open(order());
    const envelope = {
      payloadType: approvalType,
      payload: 'e30=',
      signatures: [{ keyid: ada.pinned.id, sig: 'AA==' }],
    };
    await store.holds.update(hold, 1, { state: 'approved', answers: [{ envelope, at: '' }] });
    await restart();
    await expect(use(hold)).rejects.toMatchObject({ code: 'approval-signature' });
    await restart();
    await store.holds.update(hold, 2, { answers: [] });
    await restart();
    await expect(use(hold)).rejects.toMatchObject({ code: 'approval-quorum' });
    expect(notes.filter(({ type }) => type === 'approval.used')).toEqual([]);
  });
});

describe('a question about a purse', () => {
  const raise: BudgetRaise = { account: 'agent/robot', unit: 'requests', window: '2026-01-01', max: 1000, by: 1000 };
  const held = async (): Promise<StoredHold[]> => [...(await store.holds.list({})).items];

  test('is asked once, shown whole, raises by what was shown, and once', async () => {
    await Promise.all([1, 2, 3].map(() => approvals.askRaise('ses_a', raise)));
    const [hold, ...others] = await held();
    expect(others).toEqual([]);
    expect(hold).toMatchObject({ state: 'open', summary: '1000 more requests for agent/robot (2026-01-01)' });
    expect(hold?.record.kind).toBe('budget');
    const lines = viewLines(hold?.view as View).join('\n');
    expect(lines).toContain('budget: agent/robot, requests');
    expect(lines).toContain('it has 1000 for 2026-01-01');
    expect(lines).toContain('gives 1000 more');
    const id = hold?.record.id ?? '';
    expect(raised).toEqual([]);
    // However often it was said that it may be used.
    await yes(id, 20);
    expect(raised).toEqual([raise]);
    expect(await stateOf(id)).toBe('used');
    await expect(yes(id)).rejects.toThrow();
    expect(raised).toHaveLength(1);
    expect(typesOf()).toEqual(['hold open', 'approval', 'approval.used']);
    // And asked anew when that is used up, too.
    await approvals.askRaise('ses_a', raise);
    expect(await held()).toHaveLength(2);
  });

  test('a no stands, a stop and a new policy end it, and nothing is raised', async () => {
    await approvals.askRaise('ses_a', raise);
    const [hold] = await held();
    generation = 2;
    approvals.voidStale();
    await expect(yes(hold?.record.id ?? '')).rejects.toThrow();
    expect(raised).toEqual([]);
  });

  test('what stops between the answer and its use has cost the answer', async () => {
    await approvals.askRaise('ses_a', raise);
    const id = (await held())[0]?.record.id ?? '';
    ledger = failing('approval.used');
    await expect(yes(id)).rejects.toThrow('full');
    expect(raised).toEqual([]);
    approvals[Symbol.dispose]();
    ledger = async () => undefined;
    approvals = await open();
    await expect(yes(id)).rejects.toThrow();
    expect(raised).toEqual([]);
    await approvals.askRaise('ses_a', raise);
    expect(await held()).toHaveLength(2);
  });

  test('cannot be asked by a gateway, nor with a yes to something else', async () => {
    const forged = order();
    const intent = {
      ...forged.intent,
      action: 'budget.raise',
      resource: 'agent/robot',
    } as unknown as HoldOrder['intent'];
    await expect(approvals.open({ ...forged, intent })).rejects.toMatchObject({ code: 'hold-mismatch' });
    const { hold } = await approvals.open(order());
    await yes(hold);
    expect(raised).toEqual([]);
  });

  test('and every other one is paid from the budget of questions', async () => {
    questions = 1;
    await approvals.open(order('a'));
    await expect(approvals.open(order('b'))).rejects.toMatchObject({ code: 'hold-limit' });
    await expect(approvals.askRaise('ses_a', raise)).rejects.toMatchObject({ code: 'hold-limit' });
    expect(await held()).toHaveLength(1);
  });
});
