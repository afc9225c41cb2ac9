import {
  type ApprovalReceipt,
  bundleType,
  canonicalize,
  type RecordValue,
  receiptType,
  trustType,
} from '@cordon/protocol';
import { createSigningKey, openEnvelope, openSigningKey, signEnvelope } from '@cordon/protocol/dsse';
import { describe, expect, test } from 'vitest';
import { Rig } from './approval-rig.ts';
import { until } from './harness.ts';

const team = 'default: allow\napprovals: { rungs: [1, 2] }\n';
const ofFinance = { groups: ['finance'] };
const twoOfFinance = { ...ofFinance, rung: { quorum: 2, strong: false } };

/** Somebody with a key, in these groups. */
async function person(rig: Rig, name: string, groups: readonly string[] = []) {
  const { pinned, privatePem } = createSigningKey();
  const reply = await rig.harness.post('/v1/people', { name, publicKey: pinned.publicKey, groups });
  expect(reply.status, reply.text).toBe(201);
  return { name, key: privatePem };
}
const group = (rig: Rig, name: string, groups: readonly string[]) =>
  rig.harness.send('PUT', `/v1/people/${name}/groups`, { groups });

describe('a hold for a group', () => {
  test('takes two different people of it, and says so wherever it is shown', async () => {
    await using rig = await Rig.start(team);
    const [bob, eve] = [await person(rig, 'bob', ['finance', 'ops']), await person(rig, 'eve', ['finance'])];
    const { hold } = await rig.open(undefined, twoOfFinance);
    const detail = await rig.detail(hold);
    expect(detail).toMatchObject({
      hold: { groups: ['finance'] },
      record: { groups: ['finance'] },
      view: { groups: ['finance'] },
    });
    // The owner of the daemon is in no group.
    expect((await rig.answer(hold)).json.code).toBe('approval-group');
    expect((await rig.answer(hold, bob)).json.state).toBe('open');
    expect((await rig.answer(hold, eve)).json.state).toBe('approved');
    const { receipt } = await rig.use(hold, undefined, undefined, twoOfFinance);
    const opened = openEnvelope(receipt, receiptType, [rig.harness.approvalKey.pinned]);
    const { people } = JSON.parse(opened.ok ? opened.payload.toString() : '{}') as ApprovalReceipt;
    expect(people.map(({ groups }) => groups)).toEqual([['finance', 'ops'], ['finance']]);
  });

  test('that nobody, or too few, could answer is not asked, and the mend is named', async () => {
    await using rig = await Rig.start(team);
    const unknown = { groups: ['finanse'] };
    await expect(rig.open('a', unknown)).rejects.toMatchObject({ code: 'approval-unsatisfiable' });
    await person(rig, 'bob', ['finance']);
    await expect(rig.open('b', twoOfFinance)).rejects.toMatchObject({
      message: expect.stringContaining('2 of finance must agree, and of those who may answer 1 are in it'),
    });
    expect((await rig.open('c', ofFinance)).state).toBe('open');
    // Emptied: the same question is asked of nobody from now on.
    await group(rig, 'bob', []);
    await expect(rig.open('d', ofFinance)).rejects.toMatchObject({ code: 'approval-unsatisfiable' });
    expect(await rig.harness.entries('hold')).toHaveLength(1);
  });

  test('is void when somebody who answered leaves the group, or is removed, before it is used', async () => {
    await using rig = await Rig.start(team);
    const [bob, eve] = [await person(rig, 'bob', ['finance']), await person(rig, 'eve', ['finance'])];
    const { hold } = await rig.open('a', ofFinance);
    expect((await rig.answer(hold, bob)).json.state).toBe('approved');
    // Another group more changes nothing.
    await group(rig, 'bob', ['finance', 'ops']);
    expect(await rig.state(hold)).toBe('approved');
    await group(rig, 'bob', ['ops']);
    await expect(rig.use(hold, 'a', undefined, ofFinance)).rejects.toMatchObject({ code: 'hold-settled' });
    await until(async () => (await rig.state(hold)) === 'void');
    expect((await rig.detail(hold)).hold.reason).toBe('people-changed');
    const again = await rig.open('a', ofFinance);
    expect(again.hold).not.toBe(hold);
    expect((await rig.answer(again.hold, eve)).json.state).toBe('approved');
    await rig.harness.send('DELETE', '/v1/people/eve');
    await expect(rig.use(again.hold, 'a', undefined, ofFinance)).rejects.toMatchObject({ code: 'hold-settled' });
  });

  test('is asked of nobody whom four eyes leave out', async () => {
    await using rig = await Rig.start('default: allow\napprovals: { rungs: [1, 2], fourEyes: true }\n');
    await group(rig, 'ada', ['finance']);
    await expect(rig.open('a', ofFinance)).rejects.toMatchObject({ code: 'approval-unsatisfiable' });
    const bob = await person(rig, 'bob', ['finance']);
    const { hold } = await rig.open('a', ofFinance);
    expect((await rig.answer(hold)).json.code).toBe('approval-four-eyes');
    expect((await rig.answer(hold, bob)).json.state).toBe('approved');
  });
});

describe('four eyes', () => {
  test('leave out who signed the policy that is in force, and no other', async () => {
    await using rig = await Rig.start();
    const { harness } = rig;
    const [bob, eve] = [await person(rig, 'bob'), await person(rig, 'eve')];
    const all = [harness.operatorKey.privatePem, bob.key, eve.key].map((pem) => openSigningKey(pem));
    const keys = all.slice(0, 2);
    const { iss } = (await harness.get('/v1/whoami')).json.person;
    const signers = all.map(({ pinned }, i) => ({ person: { iss, sub: ['ada', 'bob', 'eve'][i] }, key: pinned }));
    const root = {
      ...{ v: 'trust/1', tenant: 'local', number: 1, kind: 'organisation', signers },
      thresholds: { bundle: 2, root: 2 },
    } as unknown as RecordValue;
    const rotated = await harness.send('PUT', '/v1/policy/trust', {
      envelope: signEnvelope(trustType, canonicalize(root), keys),
    });
    expect(rotated.status, rotated.text).toBe(200);
    const text = 'default: allow\napprovals: { fourEyes: true }\n';
    const { json } = await harness.post('/v1/policy/pack', { content: { files: [{ name: 'grants/a.yaml', text }] } });
    const envelope = signEnvelope(bundleType, Buffer.from(json.manifest as string, 'base64'), keys);
    const done = await harness.post('/v1/policy/activate', { bundle: json.bundle, envelope });
    expect(done.json.signedBy, done.text).toHaveLength(2);
    await until(() => rig.gateway.tenants.at(-1)?.generation === json.generation);
    const { hold } = await rig.open();
    expect((await rig.answer(hold)).json.code).toBe('approval-four-eyes');
    expect((await rig.answer(hold, bob)).json.code).toBe('approval-four-eyes');
    expect((await rig.answer(hold, eve)).json.state).toBe('approved');
  });
});

describe('the list of people', () => {
  test('has groups, each change in the ledger before it counts', async () => {
    await using rig = await Rig.start();
    await person(rig, 'bob', ['ops', 'finance', 'ops']);
    const { json } = await rig.harness.get('/v1/people');
    expect(json.people.find((each: { person: { sub: string } }) => each.person.sub === 'bob').groups).toEqual([
      'finance',
      'ops',
    ]);
    expect((await group(rig, 'bob', ['legal'])).json).toMatchObject({ groups: ['legal'], keys: [{}] });
    for (const [name, groups, status] of [
      ['nobody', ['ops'], 404],
      ['bob', ['Ops'], 400],
      ['bob', ['a,b'], 400],
      ['bob', Array.from({ length: 17 }, (_, i) => `g${i}`), 400],
    ] as const) {
      expect((await group(rig, name, groups)).status, `${name} ${groups}`).toBe(status);
    }
    const acts = (await rig.harness.entries('admin')).filter(({ act }) => String(act).startsWith('people.'));
    expect(acts.slice(1)).toMatchObject([
      { act: 'people.add', person: { sub: 'bob' }, groups: ['finance', 'ops'] },
      { act: 'people.groups', person: { sub: 'bob' }, groups: ['legal'], before: ['finance', 'ops'] },
    ]);
    await rig.harness.close();
    await rig.harness.open();
    expect((await rig.harness.get('/v1/people')).json.people.map((each: { groups: string[] }) => each.groups)).toEqual([
      [],
      ['legal'],
    ]);
  });
});
