import { type Place, stepsTowards } from '@cordon/egress';
import { suggestGrant } from '@cordon/policy';
import { type Intent, type Problem, problemType } from '@cordon/protocol';
import type { Failure } from '../failure.ts';
import type { HttpRequestArgs } from '../http/adapter.ts';
import { limits } from '../limits.ts';
import type { Denied } from '../verdict.ts';
import { quote } from './quote.ts';

/** Method and URL of an intent as a person or an agent may read it: bounded, escaped, without the query. */
function requestLine(method: string, origin: string, path: string): string {
  return `${quote(method, 32)} ${quote(origin, limits.quotedCharsMax)}${quote(path, limits.quotedCharsMax)}`;
}

export function requestLineOf(intent: Intent): string {
  if (intent.action === 'http.tunnel') return quote(intent.resource, limits.quotedCharsMax);
  const args = intent.args as HttpRequestArgs;
  return requestLine(args.method, intent.resource.replace(/^(https:.*):443$|^(http:.*):80$/, '$1$2'), args.path);
}

/**
 * The 403 that an agent and a person can act on: what was refused, why, and what would allow it.
 * `place`: what the agent asked for; where no grant leads, none is named.
 */
export function deniedProblem(denied: Denied, attempt: string, place: Place): Problem {
  const line = requestLineOf(denied.intent);
  return {
    type: problemType(denied.code),
    title: denied.status === 429 ? 'Over the rate of the grant' : 'Denied by policy',
    status: denied.status,
    detail: `${line} was not ${denied.intent.action === 'http.tunnel' ? 'opened' : 'sent'}: ${denied.detail}`,
    code: denied.code,
    intent: denied.record.intent,
    attempt,
    next_steps: nextSteps(denied, attempt, place),
  };
}

function nextSteps(denied: Denied, attempt: string, place: Place): readonly string[] {
  const steps = [...stepsTowards(place, denied.nextSteps, denied.intent.session)];
  const mayHelp = denied.code === 'no-grant' && (place.kind === 'open' || place.kind === 'tenant');
  const grant = mayHelp ? suggestGrant(denied.intent) : null;
  if (grant !== null && !steps.some((step) => step.includes(grant))) {
    steps.push(`a person can allow exactly this with: cordon run --allow '${grant}' …`);
  }
  if (!steps.some((step) => step.includes(attempt))) steps.push(`cordon policy explain ${attempt}`);
  return steps.map((step) => quote(step, limits.nextStepCharsMax));
}

/** An effect that was allowed and did not come about. */
export function failedProblem(
  failure: Failure,
  about: { readonly line: string; readonly intent: string; readonly attempt: string },
): Problem {
  return {
    type: problemType(failure.code),
    title: failure.status === 403 ? 'Denied' : 'Allowed, but could not be done',
    status: failure.status,
    detail: `${about.line}: ${failure.detail}`,
    code: failure.code,
    intent: about.intent,
    attempt: about.attempt,
    next_steps: [
      ...failure.nextSteps.map((step) => quote(step, limits.nextStepCharsMax)),
      `cordon policy explain ${about.attempt}`,
    ],
  };
}
