import { type Mutation, mutationsOf } from './mutation.ts';

const test = 'packages/control-plane/test/budgets.test.ts';

export const budgetMutations: readonly Mutation[] = [
  ...mutationsOf(
    'packages/control-plane/src/budgets/budgets.ts',
    [test],
    [
      ['more comes back than went out', 'Math.min(whole(amounts[unit]), out.amounts[unit])', 'whole(amounts[unit])'],
      [
        'yesterday comes back today',
        'known !== undefined && areSame(known.purses, purses) ? known.amounts',
        'known !== undefined ? known.amounts',
      ],
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
      ['a purse is overdrawn', 'Math.max(Math.min(needed, left), ', 'Math.max(needed, '],
    ],
  ),
  ...mutationsOf(
    'apps/cordond/src/log-rotation.ts',
    ['apps/cordond/test/log-rotation.test.ts'],
    [['a log is never cut', 'ftruncateSync(descriptor, 0);', '']],
  ),
];
