import type { EscapeCase } from './case.ts';
import { egressCases } from './cases/egress.ts';
import { fileCases } from './cases/files.ts';
import { kernelCases } from './cases/kernel.ts';
import { outputCases } from './cases/output.ts';
import { processCases } from './cases/processes.ts';
import { proposalCases } from './cases/proposals.ts';
import { requestCases } from './cases/requests.ts';
import { resourceCases } from './cases/resources.ts';
import { secretCases } from './cases/secrets.ts';

export interface Group {
  readonly name: 'files' | 'kernel' | 'processes' | 'egress';
  readonly cases: readonly EscapeCase[];
}

/** Every way out that is tried, in this order. */
export const groups: readonly Group[] = [
  { name: 'files', cases: [...fileCases, ...proposalCases] },
  { name: 'kernel', cases: kernelCases },
  { name: 'processes', cases: [...processCases, ...resourceCases, ...outputCases] },
  { name: 'egress', cases: [...egressCases, ...requestCases, ...secretCases] },
];
