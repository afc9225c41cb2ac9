import { join } from 'node:path';
import type { Hold, View } from '@cordon/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, type Store, type StoredHold } from '../src/index.ts';
import { at, codeOf, temporary } from './rig.ts';

let store: Store;
let file = '';
beforeEach(async () => {
  file = join(temporary(), 'cordon.db');
  store = await openStore(file);
});
afterEach(() => store.close());

const view = { v: 'view/1', payload: { encoding: 'utf8', data: 'private words' } } as unknown as View;
function hold(id: string, change: Partial<StoredHold> & { readonly intent?: string } = {}): StoredHold {
  const { intent = `intent of ${id}`, ...more } = change;
  const record = { v: 'hold/1', id, intent, expires: '2026-01-01T00:15:00.000Z' } as Hold;
  return {
    ...{ record, session: 'ses_a', agent: 'claude', state: 'open', version: 1, at, used: 0, reason: '' },
    ...{ summary: "POST https://a.example/it's", view, answers: [] },
    ...more,
  } as StoredHold;
}

describe('holds', () => {
  it('are read back whole, also by the next process', async () => {
    await store.holds.insert(hold('hld_1', { answers: [{ envelope: { payload: 'x' }, at }] }));
    await store.close();
    store = await openStore(file);
    expect(await store.holds.get('hld_1')).toEqual(hold('hld_1', { answers: [{ envelope: { payload: 'x' }, at }] }));
    expect(await store.holds.get('hld_2')).toBeNull();
  });

  it('keep what was approved until it is taken back or too old, the last of a kind first', async () => {
    const approved = (id: string, kind = 'k') => ({ hold: id, session: 'ses_a', kind, sealed: `sealed ${id}` });
    for (const id of ['hld_1', 'hld_2', 'hld_3']) await store.holds.insert(hold(id));
    await store.holds.update('hld_2', 1, { state: 'approved', approved: approved('hld_2') });
    await store.holds.update('hld_1', 1, { state: 'approved', approved: approved('hld_1') });
    await store.holds.update('hld_3', 1, { state: 'approved', approved: approved('hld_3', 'other') });
    expect(await store.holds.approvedOf('k')).toEqual(approved('hld_1'));
    expect(await store.holds.approved('hld_2')).toEqual(approved('hld_2'));
    expect(await store.holds.approvedOf('none')).toBeNull();
    // A change that somebody else was faster with keeps nothing.
    const late = store.holds.update('hld_1', 1, { state: 'approved', approved: approved('hld_x') });
    expect(await codeOf(late)).toBe('store-conflict');
    expect(await store.holds.approved('hld_x')).toBeNull();
    await store.holds.update('hld_1', 2, { state: 'denied' });
    expect(await store.holds.approvedOf('k')).toEqual(approved('hld_2'));
    await store.holds.update('hld_2', 2, { state: 'used' });
    expect(await store.holds.approvedOf('k')).toEqual(approved('hld_2'));
    for (let i = 0; i < 256; i++) {
      await store.holds.insert(hold(`more_${i}`));
      await store.holds.update(`more_${i}`, 1, { approved: approved(`more_${i}`, 'many') });
    }
    expect(await store.holds.approvedOf('k')).toBeNull();
    expect(await store.holds.approved('more_0')).not.toBeNull();
  });

  it('change only for who saw the last state: of two at once one wins', async () => {
    await store.holds.insert(hold('hld_1'));
    const tries = [1, 2, 3].map((used) => store.holds.update('hld_1', 1, { used, state: 'approved' }));
    const settled = await Promise.allSettled(tries);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await store.holds.get('hld_1')).toMatchObject({ version: 2, used: 1, state: 'approved', view });
    expect(await codeOf(store.holds.update('hld_1', 1, { used: 9 }))).toBe('store-conflict');
    expect(await codeOf(store.holds.update('hld_none', 1, {}))).toBe('store-conflict');
    await store.holds.update('hld_1', 2, { state: 'used', view: null, reason: 'done' });
    expect(await store.holds.get('hld_1')).toMatchObject({
      version: 3,
      used: 1,
      state: 'used',
      view: null,
      reason: 'done',
    });
  });

  it('are one for the same bytes of a session, while one is alive', async () => {
    await store.holds.insert(hold('hld_1', { intent: 'same' }));
    expect(await codeOf(store.holds.insert(hold('hld_2', { intent: 'same' })))).toBe('store-conflict');
    expect(await codeOf(store.holds.insert(hold('hld_1')))).toBe('store-conflict');
    await store.holds.insert(hold('hld_3', { intent: 'same', session: 'ses_b' }));
    await store.holds.update('hld_1', 1, { state: 'used' });
    await store.holds.insert(hold('hld_4', { intent: 'same' }));
  });

  it('are listed newest first, by state and session; alive are those that a start must know', async () => {
    const states = ['open', 'approved', 'used', 'denied', 'expired', 'void'] as const;
    for (const state of states) await store.holds.insert(hold(`hld_${state}`, { state, session: `ses_${state}` }));
    const list = async (query: Parameters<Store['holds']['list']>[0]) =>
      (await store.holds.list(query)).items.map(({ record }) => record.id);
    expect(await list({})).toEqual([...states].reverse().map((state) => `hld_${state}`));
    expect(await list({ state: ['used', 'open'] })).toEqual(['hld_used', 'hld_open']);
    expect(await list({ session: 'ses_void' })).toEqual(['hld_void']);
    const first = await store.holds.list({ limit: 4 });
    expect((await store.holds.list({ limit: 4, cursor: first.next ?? '' })).items.map((each) => each.state)).toEqual([
      'approved',
      'open',
    ]);
    const alive = async (now: string) => (await store.holds.live(now)).map(({ state }) => state);
    expect(await alive(at)).toEqual(['open', 'approved', 'denied']);
    expect(await alive('2026-01-01T00:15:00.000Z')).toEqual(['open', 'approved']);
  });
});
