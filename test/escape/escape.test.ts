import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EscapeCase } from './case.ts';
import { egressCases } from './egress.ts';
import { Field } from './field.ts';
import { fileCases } from './files.ts';
import { kernelCases } from './kernel.ts';
import { processCases } from './processes.ts';

const groups: ReadonlyArray<readonly [string, readonly EscapeCase[]]> = [
  ['files', fileCases],
  ['kernel', kernelCases],
  ['processes', processCases],
  ['egress', egressCases],
];

describe.each(['root', 'ordinary'] as const)('a supervisor run by %s', (user) => {
  let field: Field;
  beforeAll(async () => {
    field = await Field.open(user);
  });
  afterAll(async () => {
    await field[Symbol.asyncDispose]();
  });

  const weaker = user === 'root' ? [] : ['--allow-weaker', 'cgroups'];
  describe.each(groups)('%s', (_group, all) => {
    const cases = all.filter((each) => user === 'root' || each.needsCgroups !== true);
    it.each(cases.map((each) => [each.name, each.stop, each] as const))(
      '%s is stopped by: %s',
      async (_name, _stop, each) => {
        const run = await field.attack(each.attack(field), [...weaker, ...(each.options ?? [])]);
        expect(run.stdout, `the attack did not run: ${run.stderr}`).toContain('tried');
        await each.judge(field, run);
        expect(field.untouched(), 'the folder outside was changed').toBe(true);
        expect(field.socketConnections, 'a socket of the host was reached').toBe(0);
      },
    );
  });
});

it('an ordinary user misses only what the start has said', () => {
  const missed = groups.flatMap(([, cases]) => cases).filter((each) => each.needsCgroups === true);
  expect(missed.map((each) => each.name)).toEqual([
    'a huge sparse file does not fill the host',
    'a fork bomb stops at its limit and a neighbour goes on',
    'memory stops at its limit',
  ]);
});

it('there are at least fifty ways that are tried', () => {
  expect(groups.flatMap(([, cases]) => cases).length).toBeGreaterThanOrEqual(50);
});
