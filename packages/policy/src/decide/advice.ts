import type { Intent } from '@cordon/protocol';
import { assertNever } from '@cordon/protocol';
import { coreRuleIds } from '../core.ts';
import { suggestGrant } from '../grant/suggest.ts';
import type { DenyCode } from './decision.ts';
import { adviseOnFlow } from './flow-advice.ts';

export interface Advice {
  readonly title: string;
  readonly nextSteps: readonly string[];
}

/** What a person or an agent reads about a refusal. Says nothing that the agent did not send or was not told. */
export function adviseOn(code: DenyCode, intent: Intent, attempt: string, reasons: readonly string[]): Advice {
  const explain = `cordon policy explain ${attempt}`;
  switch (code) {
    case 'no-grant': {
      const allow = reasons.includes('session') ? suggestGrant(intent) : null;
      return {
        title: `no grant of the ${reasons.join(' and ')} layer permits this`,
        nextSteps: [...(allow === null ? [] : [`cordon run --allow ${quoted(allow)}`]), explain],
      };
    }
    case 'flow-R0':
      if (reasons.includes(coreRuleIds.breaker)) {
        return {
          title: 'closed after repeated denials or failures',
          nextSteps: [`cordon breaker reset ${intent.session}`, 'cordon breaker list', explain],
        };
      }
      if (reasons.includes(coreRuleIds.quota)) {
        return { title: 'a budget is used up', nextSteps: ['cordon budgets', explain] };
      }
      return { title: `forbidden by ${reasons.join(', ')}`, nextSteps: [explain] };
    case 'forbidden':
      return { title: `forbidden by ${reasons.join(', ')}`, nextSteps: [explain] };
    case 'flow-R1':
    case 'flow-R2':
    case 'flow-R3':
    case 'flow-R4':
    case 'flow-R5':
    case 'flow-R6':
    case 'flow-R7':
    case 'flow-R8':
      return adviseOnFlow(code, intent, explain);
    case 'session-stopped':
      return { title: 'the session is stopped', nextSteps: [`cordon unfreeze ${intent.session}`, explain] };
    case 'stale-policy':
      return { title: 'the policy is expired, or the control plane is silent', nextSteps: ['cordon status', explain] };
    case 'over-limit':
      return { title: 'the payload is larger than the grant allows', nextSteps: [explain] };
    case 'obligation-unknown':
      return { title: 'the grant demands what this adapter cannot keep', nextSteps: [explain] };
    case 'policy-error':
      return { title: 'a policy could not be evaluated', nextSteps: ['cordon policy check', explain] };
    case 'request-invalid':
      return { title: 'the request could not be judged', nextSteps: [explain] };
    case 'slice-incomplete':
      return { title: 'the resource could not be placed among its domains', nextSteps: [explain] };
    case 'unknown-action':
      return { title: 'no such action exists', nextSteps: [explain] };
    case 'approval-required':
      return { title: `waits for a person (${reasons.join(', ')})`, nextSteps: ['cordon approvals', explain] };
    case 'approval-unsatisfiable':
      return { title: `nobody could approve this (${reasons.join(', ')})`, nextSteps: ['cordon people list', explain] };
    default:
      return assertNever(code, 'code');
  }
}

/** The path is the agent's, the shell is the person's: `;`, `$` and the like must stay text when it is pasted. */
function quoted(text: string): string {
  return /^[A-Za-z0-9._~%:/@,=+-]+$/.test(text) ? text : `'${text}'`;
}
