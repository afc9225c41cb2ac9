// Every mutation still names text that is there, once, and tests that exist: a check that was renamed must not drop out
// of `tools/mutation.ts` unseen. The run itself is `node tools/mutation.ts`.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { mutations, shortRun } from './mutations/index.ts';
import type { Mutation } from './mutations/mutation.ts';

const root = path.resolve(import.meta.dirname, '..');

function problemOf({ file, find, replace, tests }: Mutation): string | null {
  if (!existsSync(path.join(root, file))) return `no file ${file}`;
  const count = readFileSync(path.join(root, file), 'utf8').split(find).length - 1;
  if (count !== 1) return `the text stands ${count} times in ${file}`;
  if (find === replace) return 'it changes nothing';
  const missing = tests.filter((test) => !existsSync(path.join(root, test)));
  return missing.length > 0 || tests.length === 0 ? `no test ${missing.join(', ')}` : null;
}

it('each of at least 100 mutations can be made, and names its tests', () => {
  expect(mutations.length).toBeGreaterThanOrEqual(100);
  const problems = mutations.flatMap((mutation) => {
    const problem = problemOf(mutation);
    return problem === null ? [] : [`${mutation.name}: ${problem}`];
  });
  expect(problems).toEqual([]);
});

it('has a name of its own for each, and a short run of some of them', () => {
  const names = mutations.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(shortRun.length).toBeGreaterThanOrEqual(8);
  expect(shortRun.filter((name) => !names.includes(name))).toEqual([]);
});

it('finds a mutation whose text is gone, doubled or without effect', () => {
  const good = {
    name: 'planted',
    file: 'tools/mutation.test.ts',
    find: 'planted: once',
    replace: '',
    tests: ['tools/tidy.ts'],
  };
  const planted = [
    { ...good, find: 'expect(' },
    { ...good, find: ['not', 'there'].join(' at all ') },
    { ...good, replace: good.find },
    { ...good, file: 'tools/gone.ts' },
    { ...good, tests: ['tools/gone.test.ts'] },
  ];
  expect(planted.map(problemOf)).not.toContain(null);
  expect(problemOf(good)).toBeNull();
});
