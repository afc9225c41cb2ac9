import type { Intent } from '@cordon/protocol';
import { limits } from '../limits.ts';
import type { DenyCode } from './decision.ts';

export type FlowCode = Extract<DenyCode, `flow-R${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8}`>;

/** Why a flow rule says no, and what a person can change. */
export function adviseOnFlow(
  code: FlowCode,
  { resource }: Intent,
  explain: string,
): { readonly title: string; readonly nextSteps: readonly string[] } {
  const place = resource.replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2');
  return { title: titles[code], nextSteps: [...steps[code].map((step) => step.replace('PLACE', place)), explain] };
}

const titles: Readonly<Record<FlowCode, string>> = {
  'flow-R1':
    'nobody has named who gets this: the host is one where anybody can have an account, or a recipient is not named',
  'flow-R2': 'the session has seen data that is more private than this place may get',
  'flow-R3':
    'the session holds private data and has read what anybody could have written, so it sends only to what a person named',
  'flow-R4': 'what would be deleted was not named by a person, and it cannot be undone',
  'flow-R5': 'this would run a program outside the sandbox that no profile wrote out',
  'flow-R6': 'this would show people links or markup that anybody could have written',
  'flow-R7': 'what the session has seen cannot be noted at its workspace, so nothing more comes in',
  'flow-R8': `this read would carry more to where private data may not go than its grant fixes: ${limits.leakRequestBytesMax} bytes a request, ${limits.leakSessionBytesMax} a session`,
};

const cleared = 'where private data may go there: `clearance: private` on the grant for PLACE';
const steps: Readonly<Record<FlowCode, readonly string[]>> = {
  'flow-R1': ['name the account in the grant (HOST/ACCOUNT/**), or the recipient in the task'],
  'flow-R2': [cleared],
  'flow-R3': ['grant the exact host instead of names below a domain, or name it in the task'],
  'flow-R4': ['name what may be deleted: a grant with its whole path, or its URL in the task'],
  'flow-R5': [],
  'flow-R6': ['leave links and markup out'],
  'flow-R7': ['cordon status'],
  'flow-R8': [cleared],
};
