import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store } from '../src/index.ts';
import { at, codeOf, decision, session, stop, temporary } from './rig.ts';

let store: Store;
beforeEach(async () => {
  store = await openStore(join(temporary(), 'cordon.db'));
});
afterEach(() => store.close());

describe('sessions', () => {
  it('are created once, read back whole, and changed only by who saw the last state', async () => {
    const created = await store.sessions.create(session('ses_a'));
    expect(created).toMatchObject({ ...session('ses_a'), etag: 'v1', decisions: { allow: 0, deny: 0 } });
    expect(await codeOf(store.sessions.create(session('ses_a')))).toBe('store-conflict');
    expect(await store.sessions.get('ses_none')).toBeNull();
    const frozen = await store.sessions.update('ses_a', { state: 'frozen' }, created.etag);
    expect(frozen).toMatchObject({ state: 'frozen', etag: 'v2', endedAt: null });
    expect(await codeOf(store.sessions.update('ses_a', { state: 'running' }, created.etag))).toBe('store-conflict');
    expect((await store.sessions.get('ses_a'))?.state).toBe('frozen');
    const exit = { status: 137, reason: 'killed' as const, signal: 'SIGKILL', detail: null };
    const ended = await store.sessions.update('ses_a', { state: 'ended', endedAt: at, exit, detail: {} });
    expect(ended).toMatchObject({ state: 'ended', exit, detail: {}, etag: 'v3' });
    expect(await codeOf(store.sessions.update('ses_none', {}))).toBe('store-missing');
    await store.sessions.remove('ses_a');
    expect(await store.sessions.get('ses_a')).toBeNull();
  });

  it('are listed newest first, page by page, by state, agent and tenant', async () => {
    for (let i = 1; i <= 7; i++) {
      await store.sessions.create(
        session(`ses_${i}`, { agent: i % 2 === 0 ? 'codex' : 'claude', state: i < 4 ? 'ended' : 'running' }),
      );
    }
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Awaited<ReturnType<Store['sessions']['list']>> = await store.sessions.list({ cursor, limit: 3 });
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    }
    expect(ids).toEqual(['ses_7', 'ses_6', 'ses_5', 'ses_4', 'ses_3', 'ses_2', 'ses_1']);
    const list = async (query: Parameters<Store['sessions']['list']>[0]) =>
      (await store.sessions.list(query)).items.map(({ id }) => id);
    expect(await list({ state: ['ended'] })).toEqual(['ses_3', 'ses_2', 'ses_1']);
    expect(await list({ state: ['ended', 'running'], agent: 'codex' })).toEqual(['ses_6', 'ses_4', 'ses_2']);
    expect(await list({ state: [] })).toEqual([]);
    expect(await list({ tenant: 'other' })).toEqual([]);
    expect(await list({ agent: "' OR 1=1 --" })).toEqual([]);
    expect((await store.sessions.list({ limit: 7 })).next).toBeNull();
    for (const cursor of ['x', '-1', '1 OR 1', '1e9', '9'.repeat(30)]) {
      expect(await codeOf(store.sessions.list({ cursor }))).toBe('store-cursor');
    }
  });
});

describe('stops', () => {
  it('cover a session by itself, by its agent and by all, until they are lifted', async () => {
    await store.stops.insert(stop('stp_1', { scope: { session: 'ses_a' }, strength: 'kill' }));
    await store.stops.insert(stop('stp_2', { scope: { agent: 'claude' } }));
    await store.stops.insert(stop('stp_3', { scope: { session: 'claude' } }));
    expect(await codeOf(store.stops.insert(stop('stp_1')))).toBe('store-conflict');
    const ids = async (target: { session: string; agent: string }) =>
      (await store.stops.activeFor(target)).map(({ id }) => id);
    expect(await ids({ session: 'ses_a', agent: 'claude' })).toEqual(['stp_1', 'stp_2']);
    expect(await ids({ session: 'ses_b', agent: 'codex' })).toEqual([]);
    await store.stops.insert(stop('stp_4'));
    expect(await ids({ session: 'ses_b', agent: 'codex' })).toEqual(['stp_4']);
    // A lift ends exactly its own scope, and no kill unless it says so.
    expect(await store.stops.lift({ all: true }, at)).toMatchObject([
      { id: 'stp_4', liftedAt: at, scope: { all: true } },
    ]);
    expect(await store.stops.lift({ session: 'ses_a' }, at)).toEqual([]);
    expect(await ids({ session: 'ses_a', agent: 'claude' })).toEqual(['stp_1', 'stp_2']);
    expect(await store.stops.lift({ session: 'ses_a' }, at, { kills: true })).toHaveLength(1);
    expect(await store.stops.lift({ session: 'ses_a' }, at, { kills: true })).toEqual([]);
    expect((await store.stops.active()).map(({ id }) => id)).toEqual(['stp_2', 'stp_3']);
    expect(await store.stops.list()).toHaveLength(4);
  });
});

describe('decisions', () => {
  it('are indexed once each, whole batch or none, and counted into their session', async () => {
    await store.sessions.create(session('ses_a'));
    const batch = [decision(1), decision(2, { outcome: 'deny' }), decision(3, { session: 'ses_gone' })];
    expect(await store.decisions.insert(batch)).toBe(3);
    expect(await store.decisions.insert([...batch, decision(4)])).toBe(1);
    expect(await store.decisions.insert([decision(1, { writer: 'gw2', attempt: 'att_9' })])).toBe(1);
    const counted = await store.sessions.get('ses_a');
    expect(counted).toMatchObject({ decisions: { allow: 3, deny: 1 }, etag: 'v1' });
    const bad = decision(6, { outcome: 'perhaps' as 'allow' });
    expect(await codeOf(store.decisions.insert([decision(5), bad]))).toBe('ERR_SQLITE_ERROR');
    expect(await store.decisions.get('att_5')).toBeNull();
    expect((await store.sessions.get('ses_a'))?.decisions).toEqual({ allow: 3, deny: 1 });
  });

  it('are found by attempt, with their outcome once it is known', async () => {
    await store.decisions.insert([decision(1, { data: { attempt: 'att_1', n: [1, null, { x: 'y' }] } })]);
    const { cursor, ...found } = (await store.decisions.get('att_1')) ?? { cursor: '' };
    expect(found).toEqual(decision(1, { data: { attempt: 'att_1', n: [1, null, { x: 'y' }] } }));
    expect(cursor).toBe('1');
    await store.decisions.finish([
      { attempt: 'att_1', status: 200, bytesIn: 2 ** 40, bytesOut: 0, result: 'relayed' },
      { attempt: 'att_none', status: 1, bytesIn: 1, bytesOut: 1, result: null },
    ]);
    expect(await store.decisions.get('att_1')).toMatchObject({ status: 200, bytesIn: 2 ** 40, result: 'relayed' });
    expect(await store.decisions.get('att_none')).toBeNull();
  });

  it('add the bytes of an outcome to their session once, however often it is read', async () => {
    await store.sessions.create(session('ses_a'));
    await store.decisions.insert([decision(1), decision(2)]);
    const first = { attempt: 'att_1', status: 200, bytesIn: 100, bytesOut: 7, result: 'relayed' };
    await store.decisions.finish([first]);
    await store.decisions.finish([first, { ...first, attempt: 'att_2', bytesIn: 11, bytesOut: 0 }]);
    await store.decisions.finish([first]);
    expect((await store.sessions.get('ses_a'))?.bytes).toEqual({ in: 111, out: 7 });
  });

  it('are found by what became of them, and by where they went', async () => {
    await store.decisions.insert([decision(1), decision(2, { outcome: 'deny' }), decision(3, { resource: 'r' })]);
    const done = { status: null, bytesIn: 0, bytesOut: 0 };
    await store.decisions.finish([{ attempt: 'att_1', ...done, result: 'address-forbidden' }]);
    const list = async (query: Parameters<Store['decisions']['list']>[0]) =>
      (await store.decisions.list(query)).items.map(({ wseq }) => wseq);
    expect(await list({ outcome: ['deny'], result: ['address-forbidden'] })).toEqual([1, 2]);
    expect(await list({ outcome: ['deny'], result: ['port-forbidden'] })).toEqual([2]);
    expect(await list({ resource: 'r' })).toEqual([3]);
  });

  it('and refusals are listed both ways, by session and by agent, each once', async () => {
    await store.sessions.create(session('ses_a'));
    await store.sessions.create(session('ses_b', { agent: 'codex' }));
    const refusal = (wseq: number, of: string) => ({
      ...{ writer: 'gw', wseq, session: of, at, code: 'head-too-large', detail: 'too large', channel: 'c1' },
      resource: null,
      suppressed: wseq,
    });
    await store.refusals.insert([refusal(1, 'ses_a'), refusal(2, 'ses_b'), refusal(3, 'ses_a')]);
    await store.refusals.insert([refusal(3, 'ses_a')]);
    const list = async (query: Parameters<Store['refusals']['list']>[0]) =>
      (await store.refusals.list(query)).items.map(({ wseq }) => wseq);
    expect(await list({})).toEqual([1, 2, 3]);
    expect(await list({ order: 'desc', session: 'ses_a' })).toEqual([3, 1]);
    expect(await list({ agent: 'codex' })).toEqual([2]);
    const [first] = (await store.refusals.list({ limit: 1 })).items;
    expect(await list({ cursor: first?.cursor })).toEqual([2, 3]);
  });

  it('are listed both ways, followed from any one of them, and filtered', async () => {
    const all = Array.from({ length: 9 }, (_, i) =>
      decision(i + 1, {
        outcome: i % 3 === 0 ? 'deny' : 'allow',
        session: i % 2 === 0 ? 'ses_a' : 'ses_b',
        agent: i < 4 ? 'claude' : 'codex',
      }),
    );
    await store.decisions.insert(all);
    const list = async (query: Parameters<Store['decisions']['list']>[0]) =>
      (await store.decisions.list(query)).items.map(({ wseq }) => wseq);
    expect(await list({})).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await list({ order: 'desc', limit: 2 })).toEqual([9, 8]);
    expect(await list({ outcome: ['deny'] })).toEqual([1, 4, 7]);
    expect(await list({ outcome: [] })).toEqual([]);
    expect(await list({ session: 'ses_b', agent: 'codex' })).toEqual([6, 8]);
    const fifth = await store.decisions.get('att_5');
    expect(await list({ cursor: fifth?.cursor })).toEqual([6, 7, 8, 9]);
    expect(await list({ cursor: fifth?.cursor, order: 'desc' })).toEqual([4, 3, 2, 1]);
    const page = await store.decisions.list({ limit: 4, outcome: ['allow'] });
    expect(page.items.map(({ wseq }) => wseq)).toEqual([2, 3, 5, 6]);
    expect(await list({ cursor: page.next ?? '', outcome: ['allow'] })).toEqual([8, 9]);
    expect((await store.decisions.list({ cursor: page.items.at(-1)?.cursor, limit: 100 })).next).toBeNull();
  });

  it('know how far each journal was read, and never less far than before', async () => {
    await store.decisions.setIndexed('gw', 10);
    await store.decisions.setIndexed('cp', 2);
    await store.decisions.setIndexed('gw', 7);
    expect(await store.decisions.indexed()).toEqual({ gw: 10, cp: 2 });
  });
});

describe('policies', () => {
  it('only go up, per scope, and stay readable', async () => {
    const sources = [{ name: 'a.cedar', text: 'permit(principal, action, resource);' }];
    expect(await store.policies.current('local')).toBeNull();
    expect(await store.policies.highest('local')).toBe(0);
    await store.policies.activate('local', 1, 'sha256:1', sources, at);
    await store.policies.activate('local', 5, 'sha256:5', [], at);
    for (const generation of [5, 4, 1, 0, -1]) {
      expect(await codeOf(store.policies.activate('local', generation, 'sha256:x', [], at))).toBe('store-rollback');
    }
    await store.policies.activate('other', 1, 'sha256:o', [], at);
    expect(await store.policies.current('local')).toMatchObject({ generation: 5, digest: 'sha256:5' });
    expect(await store.policies.get('local', 1)).toEqual({
      scope: 'local',
      generation: 1,
      digest: 'sha256:1',
      sources,
      at,
    });
    expect(await store.policies.get('local', 2)).toBeNull();
    expect(await store.policies.highest('local')).toBe(5);
  });
});

describe('idempotency keys', () => {
  it('let one caller work, the same request read its answer, and another request fail', async () => {
    const claim = () => store.idempotency.claim('key', 'request', at);
    expect(await claim()).toEqual({ state: 'new' });
    expect(await claim()).toEqual({ state: 'running' });
    expect(await codeOf(store.idempotency.claim('key', 'other', at))).toBe('store-conflict');
    await store.idempotency.release('key');
    expect(await claim()).toEqual({ state: 'new' });
    await store.idempotency.finish('key', '{"status":201}');
    await store.idempotency.release('key');
    expect(await claim()).toEqual({ state: 'done', answer: '{"status":201}' });
    expect(await store.idempotency.expire(at)).toBe(0);
    expect(await store.idempotency.expire('2026-01-02T00:00:00.000Z')).toBe(1);
    expect(await claim()).toEqual({ state: 'new' });
  });
});
