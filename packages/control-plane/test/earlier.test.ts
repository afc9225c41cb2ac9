import type { RecordValue } from '@cordon/protocol';
import { digestRecord } from '@cordon/protocol/digest';
import { createSigningKey } from '@cordon/protocol/dsse';
import { describe, expect, test } from 'vitest';
import { Rig } from './approval-rig.ts';

const before = async (rig: Rig, hold: string) => {
  const detail = await rig.detail(hold);
  return { named: detail.view?.before, given: detail.before };
};

describe('the last approved request of a kind', () => {
  test('is named in the next view and handed out with its answers; the database alone tells nothing of it', async () => {
    await using rig = await Rig.start();
    const first = await rig.open('amount=10');
    expect(await before(rig, first.hold)).toEqual({ named: null, given: null });
    const { record } = await rig.detail(first.hold);
    // Nothing is compared with what nobody has agreed to.
    expect((await before(rig, (await rig.open('amount=11')).hold)).named).toBeNull();
    await rig.answer(first.hold);
    await rig.use(first.hold, 'amount=10');
    const second = await rig.open('amount=12');
    const { named, given } = await before(rig, second.hold);
    expect(named).toEqual({ hold: first.hold, view: record.view });
    expect(given).toMatchObject({ record: { id: first.hold }, view: { payload: { data: 'amount=10' } } });
    expect(given?.answers).toHaveLength(1);
    expect(digestRecord('view', given?.view as unknown as RecordValue)).toBe(record.view);
    // What is compared with stays, whatever is approved meanwhile.
    const third = await rig.open('amount=13');
    await rig.answer(second.hold);
    expect((await before(rig, third.hold)).named).toEqual(named);
    expect((await before(rig, (await rig.open('amount=14')).hold)).named?.hold).toBe(second.hold);
  });

  test('is of this agent, method, path and place, over sessions; no other is compared with it', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open('amount=10');
    await rig.answer(hold);
    const order = rig.order('amount=11');
    const elsewhere = { intent: { ...order.intent, args: { ...order.intent.args, path: '/other' } } };
    expect((await before(rig, (await rig.open('amount=11', elsewhere)).hold)).named).toBeNull();
    rig.session = await rig.newSession();
    await expect.poll(() => rig.gateway.sessions.has(rig.session)).toBe(true);
    expect((await before(rig, (await rig.open('amount=12')).hold)).named?.hold).toBe(hold);
  });

  test('is gone with a no that comes after the yes, and when two people had to agree only the whole counts', async () => {
    await using rig = await Rig.start('default: allow\napprovals: { rungs: [1, 2] }\n');
    const rung = { rung: { quorum: 2, strong: false } };
    const bob = createSigningKey();
    await rig.harness.post('/v1/people', { name: 'bob', publicKey: bob.pinned.publicKey });
    const { hold } = await rig.open('amount=10', rung);
    await rig.answer(hold);
    expect((await before(rig, (await rig.open('amount=11', rung)).hold)).named).toBeNull();
    await rig.answer(hold, { key: bob.privatePem, name: 'bob' });
    const next = await rig.open('amount=12', rung);
    expect((await before(rig, next.hold)).given?.answers).toHaveLength(2);
    await rig.answer(hold, { change: { verdict: 'deny' } });
    expect((await before(rig, (await rig.open('amount=13', rung)).hold)).named).toBeNull();
    // One who was shown it before hears that it is gone.
    expect(await before(rig, next.hold)).toMatchObject({ named: { hold }, given: null });
  });

  test('goes with its session when that is shredded', async () => {
    await using rig = await Rig.start();
    const { hold } = await rig.open('amount=10');
    await rig.answer(hold);
    const old = rig.session;
    rig.session = await rig.newSession();
    await expect.poll(() => rig.gateway.sessions.has(rig.session)).toBe(true);
    const next = await rig.open('amount=11');
    expect((await before(rig, next.hold)).given).not.toBeNull();
    rig.harness.bodyKeys.destroy(old);
    expect((await before(rig, next.hold)).given).toBeNull();
    expect((await before(rig, (await rig.open('amount=12')).hold)).named).toBeNull();
  });
});
