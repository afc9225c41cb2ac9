import { expect, test } from 'vitest';
import { toProblem } from '../src/api/problem.ts';

const failure = (code: string): Error => Object.assign(new Error(`${code}: /secret/path`), { code });

test.each([
  ['ENOSPC', 'ledger-unavailable', 503],
  ['EROFS', 'ledger-unavailable', 503],
  ['EDQUOT', 'ledger-unavailable', 503],
  ['EIO', 'ledger-unavailable', 503],
  ['EMFILE', 'busy', 503],
  ['ENFILE', 'busy', 503],
  ['ENOENT', 'internal', 500],
])('%s of the host is said as %s, without its path', (code, said, status) => {
  const problem = toProblem(failure(code));
  expect([problem.code, problem.status]).toEqual([said, status]);
  expect(problem.next_steps.length).toBeGreaterThan(0);
  expect(JSON.stringify(problem)).not.toContain('/secret/path');
});
