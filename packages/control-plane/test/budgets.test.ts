import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createId, type Budgets as Said, type SessionPolicy, systemClock, systemRandom } from '@cordon/protocol';
import { openStore, type Store } from '@cordon/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Budgets } from '../src/budgets/budgets.ts';
import type { Recorder } from '../src/ledger/recorder.ts';
import { compileTenant } from '../src/policy/compile.ts';
import { testEngine } from './harness.ts';

const per = 'ever';
const midnight = Date.parse('2026-11-21T00:00:00.000Z');
const hour = 3600_000;

describe('budgets', () => {
  let folder: string;
  let store: Store;
  let now: number;
  let entries: unknown[];

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'budgets-'));
    store = await openStore(path.join(folder, 'state.sqlite'));
    [now, entries] = [midnight + 22 * hour, []];
  });
  afterEach(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });

  function open(said: Said, sessions: readonly SessionPolicy[] = []): Budgets {
    const recorder = { record: async (entry: unknown) => entries.push(entry) } as unknown as Recorder;
    const clock = { ...systemClock, now: () => now };
    return new Budgets({ store: store.budgets, recorder, clock, said: () => said, sessions: () => sessions });
  }

  function session(agent = 'fixer', own: Partial<SessionPolicy> = {}): SessionPolicy {
    const id = createId('session', systemClock, systemRandom);
    return { tenant: 'local', person: 'ada', agent, session: id, ...own } as SessionPolicy;
  }

  const requests = (count: number) => ({ requests: count, bytes: 0 });
  const raiseOf = (account: string, window: string, max = 10) =>
    ({ account, unit: 'requests', window, max, by: max }) as const;
  const by = { hold: 'hld_1', attempt: 'att_1', body: '{}' };

  test('a unit that no purse limits is not counted, in every other one a slice is at most an eighth of what is left', async () => {
    const budgets = open({ tenant: { per, requests: 800, bytes: null } });
    const one = session();
    expect(await budgets.take(one, requests(1), { requests: 64, bytes: 9 })).toEqual({ requests: 64, bytes: null });
    expect(await budgets.take(one, requests(1), requests(1000))).toEqual({ requests: 92, bytes: null });
    expect(await budgets.take(one, requests(500), requests(0))).toEqual({ requests: 500, bytes: null });
    expect(await budgets.take(one, requests(500), requests(0))).toEqual({ requests: 144, bytes: null });
    expect(await budgets.take(one, requests(1), requests(1))).toEqual({ requests: 0, bytes: null });
    expect(await open({}).take(one, requests(1), requests(1))).toEqual({ requests: null, bytes: null });
  });

  test('each request is paid from every purse above it, and an empty one is recorded once', async () => {
    const said: Said = {
      tenant: { per, requests: 100, bytes: null },
      agent: { per, requests: 10, bytes: null },
      session: { per, requests: 6, bytes: null },
    };
    const budgets = open(said);
    const [first, second, other] = [session(), session(), session('reader')];
    expect(await budgets.take(first, requests(50), requests(0))).toMatchObject({ requests: 6 });
    expect(await budgets.take(second, requests(50), requests(0))).toMatchObject({ requests: 4 });
    expect(await budgets.take(second, requests(50), requests(0))).toMatchObject({ requests: 0 });
    expect(await budgets.take(other, requests(50), requests(0))).toMatchObject({ requests: 6 });
    expect(await open(said, [second]).list()).toMatchObject([
      { account: 'tenant/local', max: 100, taken: 16 },
      { account: 'agent/fixer', max: 10, taken: 10 },
      { account: `session/${second.session}`, max: 6, taken: 4 },
    ]);
    expect(entries).toHaveLength(3);
    expect(entries[0]).toMatchObject({
      type: 'budget',
      session: first.session,
      data: { act: 'empty', unit: 'requests' },
    });
  });

  test('what comes back can be spent again, but never more than went out, nor into another day', async () => {
    const budgets = open({ tenant: { per: 'day', requests: 10, bytes: null } });
    const one = session();
    const spend = async (): Promise<number> => (await budgets.take(one, requests(100), requests(0))).requests ?? -1;
    expect(await spend()).toBe(10);
    await budgets.giveBack(one.session, requests(4));
    expect(await spend()).toBe(4);
    await budgets.giveBack(one.session, requests(1000));
    expect(await spend()).toBe(10);
    for (const odd of [-5, 0.5, Number.NaN, 1e300]) await budgets.giveBack(one.session, requests(odd));
    expect(await spend()).toBe(0);
    now += 3 * hour;
    const other = session();
    expect((await budgets.take(one, requests(1), requests(0))).requests).toBe(1);
    expect((await budgets.take(other, requests(6), requests(0))).requests).toBe(6);
    await budgets.giveBack(one.session, requests(9));
    expect(await spend()).toBe(4);
    await budgets.giveBack(one.session, requests(100));
    expect(await spend()).toBe(4);
    // A clock that is set back brings yesterday's purse back as little as a new one.
    now -= 3 * hour;
    expect(await spend()).toBe(0);
  });

  test('64 sessions on 4 gateways that crash never spend more than the whole, whoever restarts', async () => {
    const said: Said = {
      tenant: { per, requests: 5_000, bytes: 1_000_000 },
      session: { per, requests: 200, bytes: null },
    };
    const sessions = Array.from({ length: 64 }, () => session());
    let budgets = open(said, sessions);
    let raises = 0;
    const spent = { requests: 0, bytes: 0 };
    const inHand = new Map<string, { requests: number; bytes: number }>();
    for (let round = 0; round < 40; round++) {
      const crashed = round % 4;
      await Promise.all(
        sessions.map(async (each, i) => {
          const hand = inHand.get(each.session) ?? { requests: 0, bytes: 0 };
          const given = await budgets.take(each, { requests: 3, bytes: 500 }, { requests: 16, bytes: 4_000 });
          hand.requests += given.requests ?? 0;
          hand.bytes += given.bytes ?? 0;
          inHand.set(each.session, hand);
          // A gateway spends some of what it has; one dies with the rest of it, another brings it back.
          const part = { requests: Math.min(hand.requests, 1 + (i % 5)), bytes: Math.min(hand.bytes, 700) };
          spent.requests += part.requests;
          spent.bytes += part.bytes;
          hand.requests -= part.requests;
          hand.bytes -= part.bytes;
          if (i % 4 === crashed) inHand.delete(each.session);
          else if (i % 4 === (crashed + 1) % 4) {
            inHand.delete(each.session);
            await budgets.giveBack(each.session, hand);
          }
        }),
      );
      // Twice people give more, once while its control plane is about to die.
      if (round === 20 || round === 27) {
        const raise = { account: 'tenant/local', unit: 'requests', window: 'ever', max: 5_000, by: 500 } as const;
        if (await budgets.raise(sessions[0]?.session ?? '', raise, { hold: 'hld_1', attempt: 'att_1', body: '{}' }))
          raises += 1;
      }
      if (round % 7 === 6) budgets = open(said, sessions);
    }
    const [tenant] = await budgets.list();
    expect(raises).toBe(2);
    expect(tenant?.raised).toBe(1_000);
    const held = [...inHand.values()].reduce((sum, hand) => sum + hand.requests, 0);
    expect(spent.requests + held).toBeLessThanOrEqual(tenant?.taken ?? 0);
    expect(tenant?.taken).toBeLessThanOrEqual(6_000);
    expect(spent.requests).toBeLessThanOrEqual(6_000);
    // What was given was needed.
    expect(tenant?.taken).toBeGreaterThan(5_000);
    expect(spent.bytes).toBeLessThanOrEqual(1_000_000);
    expect(spent.requests).toBeGreaterThan(1_000);
  });

  test('people are asked where every purse that is empty says so, and never by a question about questions', async () => {
    const asked: unknown[] = [];
    const ask = (_session: string, raise: unknown) => void asked.push(raise);
    const said: Said = {
      tenant: { per: 'day', requests: 100, bytes: null, ask: true, holds: 1 },
      agent: { per, requests: 10, bytes: null },
    };
    const one = session();
    const budgets = open(said);
    await budgets.take(one, requests(11), requests(0), ask);
    expect(asked).toEqual([]);
    for (let i = 0; i < 9; i++) await budgets.take(session(`agent-${i}`), requests(10), requests(0), ask);
    expect(asked).toEqual([]);
    await budgets.take(session('late'), requests(1), requests(0), ask);
    expect(asked).toEqual([raiseOf('tenant/local', '2026-11-21', 100)]);
    expect([await budgets.spend(one, 'holds', 1, ask), await budgets.spend(one, 'holds', 1, ask)]).toEqual([
      true,
      false,
    ]);
    expect(asked).toHaveLength(1);
  });

  test('what people give is on record before it counts, is of its day alone, and cannot come too late', async () => {
    const budgets = open({ tenant: { per: 'day', requests: 10, bytes: null } });
    const one = session();
    const spend = async (): Promise<number> => (await budgets.take(one, requests(100), requests(0))).requests ?? -1;
    expect(await spend()).toBe(10);
    const today = raiseOf('tenant/local', '2026-11-21');
    expect(await budgets.raise(one.session, today, by)).toBe(true);
    expect(entries.at(-1)).toMatchObject({ type: 'budget', data: { act: 'raised', by: 10, hold: 'hld_1' } });
    expect(await spend()).toBe(10);
    expect(await spend()).toBe(0);
    now += 3 * hour;
    expect(await spend()).toBe(10);
    expect(await budgets.raise(one.session, today, by)).toBe(false);
    expect(await spend()).toBe(0);
    // Given, and the disk of the ledger takes nothing: not given.
    const recorder = { record: () => Promise.reject(new Error('full')) } as unknown as Recorder;
    const said = () => ({ tenant: { per: 'day', requests: 10, bytes: null } }) as const;
    const broken = new Budgets({
      store: store.budgets,
      recorder,
      clock: { ...systemClock, now: () => now },
      said,
      sessions: () => [],
    });
    await expect(broken.raise(one.session, raiseOf('tenant/local', '2026-11-22'), by)).rejects.toThrow('full');
    expect(await spend()).toBe(0);
  });

  test('the whole is kept over a restart of everything', async () => {
    const said: Said = { person: { per: 'month', requests: 10, bytes: null } };
    const one = session();
    await open(said).take(one, requests(7), requests(0));
    await store.close();
    store = await openStore(path.join(folder, 'state.sqlite'));
    expect((await open(said).take(one, requests(100), requests(0))).requests).toBe(3);
  });
});

describe('budgets in files', () => {
  const compile = (...texts: string[]) =>
    compileTenant(
      testEngine(),
      texts.map((text, n) => ({ name: `${n}.yaml`, text })),
    );

  test('stand once in the tenant’s folder, and a budget of nothing is none', () => {
    const good = compile('budgets: { tenant: { requests: 100, per: day }, session: { bytes: 5MiB } }');
    expect(good).toMatchObject({
      ok: true,
      layers: {
        settings: {
          budgets: {
            tenant: { per: 'day', requests: 100, bytes: null },
            session: { per: 'ever', requests: null, bytes: 5 * 1024 * 1024 },
          },
        },
      },
    });
    const more = compile('budgets: { agent: { leak: 1MiB, holds: 20, time: 8h, per: day, onExhausted: ask } }');
    expect(more).toMatchObject({
      layers: { settings: { budgets: { agent: { leak: 1024 ** 2, holds: 20, seconds: 8 * 3600, ask: true } } } },
    });
    for (const bad of [
      'budgets: { tenant: { onExhausted: ask } }',
      'budgets: { tenant: { time: 10ms } }',
      'budgets: { tenant: {} }',
      'budgets: { tenant: { requests: 0 } }',
      'budgets: { nobody: { requests: 1 } }',
    ]) {
      expect(compile(bad).ok, bad).toBe(false);
    }
    expect(compile('budgets: { tenant: { requests: 1 } }', 'budgets: { tenant: { requests: 2 } }').ok).toBe(false);
  });
});
