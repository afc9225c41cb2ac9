import { type Mutation, mutationsOf } from './mutation.ts';

const test = 'packages/control-plane/test/budgets.test.ts';

const steps = 'packages/control-plane/test/approval-steps.test.ts';

export const budgetMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/control-plane/src/approvals/approvals.ts',
    [steps],
    [
      [
        'a yes about a purse is used again',
        "const change = { state: 'used', used: 1, view: null } as const;",
        'const change = {} as const;',
      ],
      ['a gateway asks for more', '|| order.intent.action === raiseAction', ''],
      [
        'each session asks about the same purse',
        'if (asked || session === null) return;',
        'if (session === null) return;',
      ],
      ['questions are free', 'if (!(await this.#parts.payQuestion(', 'if (!(true || await this.#parts.payQuestion('],
      [
        'every yes raises a purse',
        "now.state === 'approved' && hold.record.kind === 'budget'",
        "now.state === 'approved'",
      ],
    ],
  ),
  ...mutationsOf(
    'packages/ledger/src/verify/raises.ts',
    ['packages/ledger/test/approvals.test.ts'],
    [
      ['raised by nobody', 'if (use === null) {', 'if (use === undefined) {'],
      [
        'raised by more than was asked for',
        'else if (asked !== canonicalize(',
        'else if (asked === "" + canonicalize(',
      ],
    ],
  ),
  ...mutationsOf(
    'packages/gateway/src/label/intent.ts',
    ['packages/gateway/test/budget.test.ts'],
    [['a leak that nobody paid for', 'mayLeak && meter.hasRoomFor(cost)', 'meter.hasRoomFor(cost)']],
  ),
  ...mutationsOf(
    'packages/control-plane/src/budgets/budgets.ts',
    [test],
    [
      ['more comes back than went out', 'Math.min(whole(amounts[unit] ?? 0), known)', 'whole(amounts[unit] ?? 0)'],
      [
        'yesterday comes back today',
        'known !== undefined && areSame(known.purses, purses) ? known.amounts',
        'known !== undefined ? known.amounts',
      ],
      ['people are asked where somebody said deny', 'if (ask === undefined || !may ||', 'if (ask === undefined ||'],
      ['a question about questions', "|| unit === 'holds') return;", ') return;'],
      ['a raise counts before it is on record', "'disk',\n    );", "'disk',\n    ).catch(() => undefined);"],
    ],
  ),
  ...mutationsOf(
    'packages/store/src/budgets.ts',
    [test],
    [
      [
        'a clock that is set back fills a purse',
        'return kept.length === now.length ? kept < now : true;',
        'return kept !== now;',
      ],
      ['what is given today stays', 'taken: 0, raised: 0 }', 'taken: 0, raised: kept?.raised ?? 0 }'],
      [
        'given for a day that is over',
        'if (kept !== null && kept.window !== account.window &&',
        'if (kept === undefined &&',
      ],
      ['a purse is overdrawn', 'Math.max(Math.min(needed, left), ', 'Math.max(needed, '],
    ],
  ),
  ...mutationsOf(
    'apps/cordond/src/log-rotation.ts',
    ['apps/cordond/test/log-rotation.test.ts'],
    [['a log is never cut', 'ftruncateSync(descriptor, 0);', '']],
  ),
];
