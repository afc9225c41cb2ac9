import { digestRecord } from '@cordon/protocol/digest';
import { describe, expect, it } from 'vitest';
import {
  type ApprovalFacts,
  authorize,
  ceilingFor,
  coreCeiling,
  type Facts,
  type Flow,
  noApproval,
  usualFlow,
} from '../src/index.ts';
import { strongRungs, teamRungs } from './support/team-rules.ts';
import { factsOf, freshEngine, intentOf, snapshotOf } from './support/world.ts';

const engine = freshEngine();
const intent = intentOf();
const [one, two] = [
  { quorum: 1, strong: false },
  { quorum: 2, strong: false },
] as const;
const [oneStrong, twoStrong] = [
  { quorum: 1, strong: true },
  { quorum: 2, strong: true },
] as const;

function decide(
  rungs: readonly ApprovalFacts[],
  effect: Facts['effect'],
  flow: Partial<Flow>,
  approval: ApprovalFacts = noApproval,
) {
  const snapshot = snapshotOf(engine, { ceiling: ceilingFor(rungs) }, { rungs });
  const facts = factsOf(intent, { effect, flow: { ...usualFlow, ...flow } });
  const decision = authorize(snapshot, snapshot.principal, intent, facts, approval);
  return decision.outcome === 'hold' ? decision.rung : decision.outcome;
}

/** What each rule asks for where one person is all there is, in a team, and in a team with strong keys. */
const ladder: ReadonlyArray<
  readonly [code: string, Facts['effect'], Partial<Flow>, team: ApprovalFacts, strong: ApprovalFacts]
> = [
  ['R1', 'share', { destInteg: 1 }, one, one],
  ['R1', 'spend', { destInteg: 2 }, two, twoStrong],
  ['R1', 'admin', { destInteg: 2 }, two, twoStrong],
  ['R2', 'share', { argConf: 2, clearance: 1 }, one, one],
  ['R3', 'share', { ctxInteg: 0, ctxConf: 2, destInteg: 2 }, one, one],
  ['R4', 'destroy', { destInteg: 2 }, one, oneStrong],
  ['R5', 'exec', { destInteg: 3 }, two, twoStrong],
  ['R6', 'share', { linksOk: false }, one, one],
  ['R8', 'read', { argConf: 2, clearance: 0, leakOk: false }, one, one],
];

describe('the rules of a team', () => {
  it.each(ladder)('%s, of %s with %j: who must agree', (_code, effect, flow, team, strong) => {
    expect(decide([one], effect, flow)).toEqual(one);
    expect(decide(teamRungs, effect, flow)).toEqual(team);
    expect(decide(strongRungs, effect, flow)).toEqual(strong);
  });

  it('are not lifted by less', () => {
    const flow = { destInteg: 2 };
    expect(decide(teamRungs, 'spend', flow, one)).toEqual(two);
    expect(decide(teamRungs, 'spend', flow, two)).toBe('allow');
    expect(decide(strongRungs, 'spend', flow, two)).toEqual(twoStrong);
    expect(decide(strongRungs, 'spend', flow, oneStrong)).toEqual(twoStrong);
    expect(decide(strongRungs, 'spend', flow, twoStrong)).toBe('allow');
    expect(decide(strongRungs, 'destroy', flow, two)).toEqual(oneStrong);
    expect(decide(strongRungs, 'destroy', flow, oneStrong)).toBe('allow');
  });

  it('never let secrets out, whoever agrees', () => {
    const secret = { argConf: 3, clearance: 2, leakOk: false };
    for (const rungs of [teamRungs, strongRungs]) {
      expect(decide(rungs, 'share', secret, { quorum: 16, strong: true })).toBe('deny');
      expect(decide(rungs, 'read', secret)).toBe('deny');
    }
  });

  it('are part of what a decision names as its policy', () => {
    const digest = (ceiling = coreCeiling) => snapshotOf(engine, { ceiling }, { rungs: teamRungs }).digest;
    expect(digest(ceilingFor(teamRungs))).not.toBe(digest());
    expect(digest(ceilingFor(strongRungs))).not.toBe(digest(ceilingFor(teamRungs)));
  });
});

describe('the rules for one person', () => {
  it('are to the byte those that ledgers name already', () => {
    const digestOf = (policies: Readonly<Record<string, string>>) =>
      digestRecord('layer', { v: 'layer/1', name: 'ceiling', policies });
    const known = 'sha256:3d6d889056232cc8c111d4b1f688f47e167a15b8cee7e2b2b13fb82cbeaf5660';
    expect(digestOf(coreCeiling.policies)).toBe(known);
    expect(digestOf(ceilingFor([]).policies)).toBe(known);
    expect(digestOf(ceilingFor([one]).policies)).toBe(known);
  });

  it('judge what was recorded under them, whatever could be asked for then', () => {
    const snapshot = snapshotOf(engine, { ceiling: coreCeiling }, { rungs: teamRungs });
    const facts = factsOf(intent, { effect: 'spend', flow: { ...usualFlow, destInteg: 2 } });
    const held = authorize(snapshot, snapshot.principal, intent, facts, noApproval);
    expect(held).toMatchObject({ outcome: 'hold', rung: one });
    expect(authorize(snapshot, snapshot.principal, intent, facts, one).outcome).toBe('allow');
  });
});
