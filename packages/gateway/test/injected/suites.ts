import { coding } from './coding.ts';
import { finance } from './finance.ts';
import { office } from './office.ts';
import { research } from './research.ts';
import type { Suite } from './task.ts';

export const suites: readonly Suite[] = [coding, office, finance, research];
