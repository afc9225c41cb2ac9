import type { EscapeCase } from './case.ts';
import { egressCases } from './cases/egress.ts';
import { fileCases } from './cases/files.ts';
import { kernelCases } from './cases/kernel.ts';
import { processCases } from './cases/processes.ts';

export interface Group {
  readonly name: 'files' | 'kernel' | 'processes' | 'egress';
  readonly cases: readonly EscapeCase[];
}

/** Every way out that is tried, in this order. */
export const groups: readonly Group[] = [
  { name: 'files', cases: fileCases },
  { name: 'kernel', cases: kernelCases },
  { name: 'processes', cases: processCases },
  { name: 'egress', cases: egressCases },
];
