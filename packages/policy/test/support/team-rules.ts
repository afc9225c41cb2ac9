import { type ApprovalFacts, ceilingFor, type PropertyCode } from '../../src/index.ts';

/** How far people can be asked, weakest first. */
export const teamRungs: readonly ApprovalFacts[] = [
  { quorum: 1, strong: false },
  { quorum: 2, strong: false },
];
export const strongRungs: readonly ApprovalFacts[] = [
  { quorum: 1, strong: false },
  { quorum: 1, strong: true },
  { quorum: 2, strong: true },
];

export const teamCeiling = ceilingFor(teamRungs).policies;
export const strongCeiling = ceilingFor(strongRungs).policies;

interface TeamPlant {
  readonly name: string;
  readonly rungs: readonly ApprovalFacts[];
  readonly rule: readonly [id: string, text: string];
  readonly property: PropertyCode;
}

const egress = 'forbid (principal, action in Cordon::Action::"egress", resource)';
const spends = `${egress}\nwhen { [Cordon::Effect::"spend", Cordon::Effect::"admin"].contains(context.effect) }`;
const runs = `${egress}\nwhen { context.effect == Cordon::Effect::"exec" }`;
const deletes = `${egress}\nwhen { context.effect == Cordon::Effect::"destroy" }`;
const quorum = 'context.approval.quorum';

/** Mistakes in who must agree: the rules of a team that a single person, or any key, would lift. */
export const teamPlants: readonly TeamPlant[] = [
  {
    name: 'money that one person moves',
    rungs: teamRungs,
    rule: ['ceiling/core/R1-spend', `${spends}\nunless { context.flow.destInteg >= 3 || ${quorum} >= 1 };`],
    property: 'T7',
  },
  {
    name: 'rights that one person gives, where money takes two',
    rungs: teamRungs,
    rule: [
      'ceiling/core/R1-spend',
      `${spends}\nunless { context.flow.destInteg >= 3 || ${quorum} >= 2 || (context.effect == Cordon::Effect::"admin" && ${quorum} >= 1) };`,
    ],
    property: 'T7',
  },
  {
    name: 'a program that one person lets run',
    rungs: teamRungs,
    rule: ['ceiling/core/R5', `${runs}\nunless { context.flow.destInteg >= 4 || ${quorum} >= 1 };`],
    property: 'T7',
  },
  {
    name: 'a program at a destination that only a person named',
    rungs: teamRungs,
    rule: ['ceiling/core/R5', `${runs}\nunless { context.flow.destInteg >= 3 || ${quorum} >= 2 };`],
    property: 'T7',
  },
  {
    name: 'exactly two, so that a third person would stop it',
    rungs: teamRungs,
    rule: ['ceiling/core/R1-spend', `${spends}\nunless { context.flow.destInteg >= 3 || ${quorum} == 2 };`],
    property: 'T4',
  },
  {
    name: 'two who let secrets out',
    rungs: teamRungs,
    rule: [
      'ceiling/core/R2',
      `${egress}\nunless { context.flow.argConf <= context.flow.clearance || context.flow.readersOk || ${quorum} >= 2 || (${quorum} >= 1 && context.flow.argConf < 3) };`,
    ],
    property: 'T4',
  },
  {
    name: 'a deletion that nobody need agree to',
    rungs: teamRungs,
    rule: [
      'ceiling/core/R4',
      `${deletes}\nunless { context.undoable || context.flow.destInteg >= 2 || ${quorum} >= 1 };`,
    ],
    property: 'T7',
  },
  {
    name: 'two keys of any kind for money',
    rungs: strongRungs,
    rule: ['ceiling/core/R1-spend', `${spends}\nunless { context.flow.destInteg >= 3 || ${quorum} >= 2 };`],
    property: 'T7',
  },
  {
    name: 'a strong key or two people, where both were meant',
    rungs: strongRungs,
    rule: [
      'ceiling/core/R5',
      `${runs}\nunless { context.flow.destInteg >= 4 || ${quorum} >= 2 || context.approval.strong };`,
    ],
    property: 'T7',
  },
  {
    name: 'a deletion by any key',
    rungs: strongRungs,
    rule: [
      'ceiling/core/R4',
      `${deletes}\nunless { context.undoable || context.flow.destInteg >= 3 || ${quorum} >= 1 };`,
    ],
    property: 'T7',
  },
  {
    name: 'two who must not be strong',
    rungs: strongRungs,
    rule: [
      'ceiling/core/R1-spend',
      `${spends}\nunless { context.flow.destInteg >= 3 || (${quorum} >= 2 && !context.approval.strong) };`,
    ],
    property: 'T4',
  },
];
