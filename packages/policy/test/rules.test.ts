import { describe, expect, it } from 'vitest';
import { authorize, type Facts, type Flow, noApproval, usualFlow } from '../src/index.ts';
import { factsOf, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const snapshot = snapshotOf(freshEngine());
const intent = intentOf();
const agreed = { quorum: 1, strong: false };

function decide(effect: Facts['effect'], flow: Partial<Flow>, approval = noApproval) {
  const facts = factsOf(intent, { effect, flow: { ...usualFlow, ...flow } });
  const { outcome, record } = authorize(snapshot, snapshot.principal, intent, facts, approval);
  return { outcome, code: record.code };
}

/** What each rule lets through and what it does not, one fact apart. */
const rules: ReadonlyArray<readonly [code: string, effect: Facts['effect'], good: Partial<Flow>, bad: Partial<Flow>]> =
  [
    ['flow-R1', 'share', { destInteg: 2 }, { destInteg: 1 }],
    ['flow-R1', 'spend', { destInteg: 3 }, { destInteg: 2 }],
    ['flow-R1', 'admin', { destInteg: 3 }, { destInteg: 2 }],
    ['flow-R2', 'share', { argConf: 2, clearance: 2 }, { argConf: 2, clearance: 1 }],
    ['flow-R2', 'share', { argConf: 2, clearance: 0, readersOk: true }, { argConf: 2, clearance: 0 }],
    ['flow-R3', 'share', { ctxInteg: 0, ctxConf: 2, destInteg: 3 }, { ctxInteg: 0, ctxConf: 2, destInteg: 2 }],
    ['flow-R3', 'share', { ctxInteg: 1, ctxConf: 2, destInteg: 2 }, { ctxInteg: 0, ctxConf: 2, destInteg: 2 }],
    ['flow-R3', 'write', { ctxInteg: 0, ctxConf: 1, destInteg: 0 }, { ctxInteg: 0, ctxConf: 2, destInteg: 0 }],
    ['flow-R4', 'destroy', { destInteg: 3 }, { destInteg: 2 }],
    ['flow-R5', 'exec', { destInteg: 4, argInteg: 1 }, { destInteg: 4, argInteg: 0 }],
    ['flow-R5', 'exec', { destInteg: 4 }, { destInteg: 3 }],
    ['flow-R6', 'share', { linksOk: true }, { linksOk: false }],
    ['flow-R8', 'read', { argConf: 2, clearance: 0, leakOk: true }, { argConf: 2, clearance: 0, leakOk: false }],
    ['flow-R8', 'read', { argConf: 2, clearance: 2, leakOk: false }, { argConf: 2, clearance: 1, leakOk: false }],
  ];

describe('a flow rule', () => {
  it.each(rules)('%s, of %s: allows %j, and holds %j until a person agrees', (code, effect, good, bad) => {
    expect(decide(effect, good)).toEqual({ outcome: 'allow', code: 'allowed' });
    expect(decide(effect, bad)).toEqual({ outcome: 'hold', code });
    expect(decide(effect, bad, agreed)).toEqual({ outcome: 'allow', code: 'allowed' });
  });

  it.each(['read', 'share'] as const)('never lets secrets out, whoever agrees (%s)', (effect) => {
    const secret = { argConf: 3, clearance: 2, leakOk: false };
    const strongest = { quorum: 16, strong: true };
    expect(decide(effect, secret).outcome).toBe('deny');
    expect(decide(effect, secret, strongest).outcome).toBe('deny');
  });

  it('leaves a read alone that untrusted and private meet in, and does not let undoable stand for more than R4', () => {
    expect(decide('read', { ctxInteg: 0, ctxConf: 2, destInteg: 0 }).outcome).toBe('allow');
    const flow = { ...usualFlow, destInteg: 0 };
    const undoable = factsOf(intent, { effect: 'destroy', undoable: true, flow });
    expect(authorize(snapshot, snapshot.principal, intent, undoable, noApproval).outcome).toBe('allow');
  });
});

describe('a flow fact', () => {
  const good = factsOf(intent, { effect: 'share' });
  const judge = (facts: unknown) => authorize(snapshot, snapshot.principal, intent, facts as Facts, noApproval);

  it('that is missing, of another type, out of range or unknown denies', () => {
    expect(judge(good).outcome).toBe('allow');
    for (const name of Object.keys(usualFlow)) {
      const { [name as keyof Flow]: value, ...rest } = good.flow;
      for (const flow of [
        rest,
        { ...rest, [name]: String(value) },
        { ...rest, [name]: null },
        { ...rest, [name]: 9 },
      ]) {
        expect(judge({ ...good, flow }).record, name).toMatchObject({ outcome: 'deny', code: 'request-invalid' });
      }
    }
    expect(judge({ ...good, flow: { ...good.flow, trusted: true } }).outcome).toBe('deny');
    expect(judge({ ...good, flow: undefined }).outcome).toBe('deny');
  });

  it('stands beside what it was worked out from, or denies', () => {
    const { labels } = good;
    for (const name of Object.keys(labels)) {
      const { [name as keyof typeof labels]: _gone, ...rest } = labels;
      for (const broken of [rest, { ...rest, [name]: 'x' }, { ...rest, [name]: -1 }]) {
        expect(judge({ ...good, labels: broken }).outcome, name).toBe('deny');
      }
    }
    expect(judge({ ...good, labels: undefined }).outcome).toBe('deny');
  });

  it('that nobody has worked out is the worst', () => {
    const { flow: _none, ...unlabelled } = { ...factsOf(intent, {}) };
    const facts = factsOf(intent, { ...unlabelled, effect: 'share', flow: undefined } as never);
    expect(judge(facts).outcome).toBe('deny');
  });
});
