import { describe, expect, it } from 'vitest';
import { type Approval, authorize, compileGrants, type Grant, noApproval, usualFlow } from '../src/index.ts';
import { anything, factsOf, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const rungs = [1, 2].map((quorum) => ({ quorum, strong: false }));
const intent = intentOf();
const yes = 'when { context.approval.quorum >= 1 }';
const permit = (annotation: string, when = yes): string =>
  `${annotation} permit (principal, action, resource) ${when};`;
const ids = [`sha256:${'a'.repeat(64)}`];

function decide(
  tenant: Readonly<Record<string, string>>,
  session: Readonly<Record<string, string>>,
  approval: Approval = noApproval,
  flow: Partial<typeof usualFlow> = {},
) {
  const snapshot = snapshotOf(engine, { tenant: { name: 'tenant', policies: tenant }, session }, { rungs });
  const facts = factsOf(intent, { flow: { ...usualFlow, ...flow } });
  return authorize(snapshot, snapshot.principal, intent, facts, approval);
}

describe('groups of approvers', () => {
  it('are asked where a permit names some, and recorded with the hold', () => {
    const held = decide({ 'tenant/a': anything }, { 'session/a': permit('@approvers("legal,finance")') });
    expect(held).toMatchObject({ outcome: 'hold', groups: ['finance', 'legal'], rung: rungs[0] });
    expect(held.record.obligations).toEqual(['approvers:finance,legal']);
    expect(held.title).toContain('by finance or legal');
    const anybody = decide({ 'tenant/a': anything }, { 'session/a': permit('') });
    expect(anybody).toMatchObject({ outcome: 'hold', groups: [] });
    expect(anybody.record.obligations).toEqual([]);
  });

  it('are those that every layer accepts which names any', () => {
    const both = permit('@approvers("finance,legal")');
    const held = decide({ 'tenant/a': both }, { 'session/a': permit('@approvers("legal,ops")') });
    expect(held).toMatchObject({ outcome: 'hold', groups: ['legal'] });
    expect(decide({ 'tenant/a': both }, { 'session/a': anything })).toMatchObject({ groups: ['finance', 'legal'] });
  });

  it('of which nobody is left deny, and the permits that disagree are named', () => {
    const denied = decide(
      { 'tenant/a': permit('@approvers("finance")'), 'tenant/b': permit('') },
      { 'session/a': permit('@approvers("legal")') },
    );
    expect(denied.record).toMatchObject({
      outcome: 'deny',
      code: 'approval-unsatisfiable',
      reasons: ['session/a', 'tenant/a'],
    });
  });

  it('are asked by a flow rule too, and by nobody where nothing waits', () => {
    const named = { 'tenant/a': permit('@approvers("finance")', '') };
    const held = decide(named, { 'session/a': anything }, noApproval, { argConf: 2, clearance: 0, leakOk: false });
    expect(held).toMatchObject({ outcome: 'hold', groups: ['finance'] });
    expect(held.record.code).toBe('flow-R8');
    expect(decide(named, { 'session/a': anything }).outcome).toBe('allow');
  });

  it('of the weakest approval that does are asked, not those of a stronger one', () => {
    const policies = {
      'tenant/one': permit('@approvers("finance")'),
      'tenant/two': permit('@approvers("leads")', 'when { context.approval.quorum >= 2 }'),
    };
    expect(decide(policies, { 'session/a': anything })).toMatchObject({ outcome: 'hold', groups: ['finance'] });
    // More people than were asked for rest on a permit that wants others: that is a no, never a yes.
    const more = decide(policies, { 'session/a': anything }, { quorum: 2, strong: false, ids, groups: ['finance'] });
    expect(more.record).toMatchObject({ outcome: 'deny', code: 'approval-unsatisfiable' });
  });

  it('must be those that were asked when the answer is used', () => {
    const session = { 'session/a': permit('@approvers("finance,legal")') };
    const used = (groups?: readonly string[]) =>
      decide({ 'tenant/a': anything }, session, {
        ...{ quorum: 1, strong: false, ids },
        ...(groups === undefined ? {} : { groups }),
      }).record;
    expect(used(['finance'])).toMatchObject({ outcome: 'allow', obligations: ['approvers:finance,legal'] });
    expect(used(['finance', 'legal']).outcome).toBe('allow');
    for (const groups of [undefined, [], ['ops'], ['finance', 'ops']]) {
      expect(used(groups), String(groups)).toMatchObject({ outcome: 'deny', code: 'approval-unsatisfiable' });
    }
    expect(used('finance' as never)).toMatchObject({ outcome: 'deny', code: 'request-invalid' });
  });
});

describe('a grant', () => {
  const compile = (approval: Grant['approval'], more: Partial<Grant> = {}) =>
    compileGrants([{ allow: 'pay.example/pay/**', methods: ['POST'], approval, ...more }], {
      layer: 'session',
      source: 'a.yaml',
    });

  it('names its approvers', () => {
    const compiled = compile({ people: 2, from: ['finance', 'board', 'finance'] });
    if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
    const [text] = Object.values(compiled.policies);
    expect(text).toContain('@approvers("board,finance")');
    expect(text).toContain('context.approval.quorum >= 2');
    expect(compiled.describe[0]).toContain('waits until 2 people of board or finance agree');
    const snapshot = snapshotOf(engine, { session: compiled.policies }, { rungs });
    const pay = intentOf('https://pay.example:443', 'POST', '/pay/1');
    const held = authorize(snapshot, snapshot.principal, pay, factsOf(pay, {}), noApproval);
    expect(held).toMatchObject({ outcome: 'hold', rung: rungs[1], groups: ['board', 'finance'] });
  });

  it('of a number is as it was', () => {
    const [plain, written] = [compile(1), compile({ people: 1 })];
    expect(plain.ok && plain.policies).toEqual(written.ok && written.policies);
    expect(plain.ok && Object.values(plain.policies).join()).not.toContain('approvers');
  });

  it('asks about the handshake of a WebSocket, not about its messages', () => {
    const compiled = compile({ people: 1, from: ['ops'] }, { allow: 'wss://live.example', methods: undefined });
    if (!compiled.ok) throw new TypeError(JSON.stringify(compiled.problems));
    const asking = Object.values(compiled.policies).map((text) => text.includes('@approvers("ops")'));
    expect(asking).toEqual([true, false]);
  });

  it.each([
    { people: 0 },
    { people: 17 },
    { people: 1, from: [] },
    { people: 1, from: ['Finance'] },
    { people: 1, from: ['a,b'] },
    { people: 1, from: ['a"b'] },
    { people: 1, from: Array.from({ length: 17 }, (_, i) => `g${i}`) },
  ])('that asks nobody, or in no known way, is refused: %j', (approval) => {
    expect(compile(approval)).toMatchObject({ ok: false, problems: [{ code: 'grant-invalid' }] });
  });
});
