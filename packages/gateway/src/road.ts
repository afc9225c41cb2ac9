import { transportFor } from '@cordon/policy';
import type { Intent } from '@cordon/protocol';
import { planSecrets, type SecretPlan, type SecretRefusal } from '@cordon/secrets';
import type { Ask, Road } from './ask.ts';
import type { InForce } from './control/policies.ts';
import { effect } from './effect.ts';
import { judgePatiently, type Patience } from './hold/judge-held.ts';
import { type HttpRequestArgs, toIntent } from './http/adapter.ts';
import { type Body, readBody } from './http/body.ts';
import { forwardedHeaders } from './http/headers.ts';
import { readPayload } from './http/payload.ts';
import { readTarget } from './http/target.ts';
import { type HeaderPairs, valuesOf } from './http/wire-head.ts';
import { isOurs } from './judge.ts';
import { answerPending, answerProblem } from './refuse/answer.ts';
import { isRefusal, type Refusal, refuse } from './refuse/refusal.ts';
import { Holding } from './session/held.ts';

/**
 * The one road from bytes to an effect. Every step takes what the one before returned, so none can be left out:
 * no permit without a recorded allow, no pin without a permit, no bytes without a consumed permit (I1, I2).
 * Returns a refusal when there is no single reading; answers in every other case.
 */
export async function travel(road: Road, ask: Ask): Promise<Refusal | null> {
  using holding = new Holding(ask.session.held);
  const headers = forwardedHeaders(ask.head.headers);
  // Read by the headers that go with it: one that `Connection` names away must not say what the body is (I2).
  const body = await readBody(ask.request.body, ask.head.framing, headers, road.limits, holding);
  if (isRefusal(body)) return body;
  ask.signal.throwIfAborted();
  const policy = road.policyOf(ask.session.id);
  if (policy === null) return withoutPolicy();
  const read = readIntent(ask, policy, headers, body);
  if (isRefusal(read)) return read;
  const { intent, plan } = read;
  const ownCredential = isOurs(plan, intent.args.query);
  const asked = { policy, intent, plan, readable: body.readable, ownCredential, payload: body.bytes };
  const judged = await judgePatiently(road, ask, asked, patienceOf(ask, body));
  if (judged.outcome === 'pending') {
    answerPending(ask.response, judged, { close: false, method: ask.head.method });
    return null;
  }
  if (judged.outcome === 'deny') {
    const { retryAfterSeconds } = judged.denied;
    answerProblem(ask.response, judged.problem, { close: false, retryAfterSeconds, method: ask.head.method });
    return null;
  }
  const { permit, labelled } = judged;
  await effect(road, ask, permit, { policy: judged.policy, plan: judged.plan, labelled, body });
  return null;
}

/** How this request can wait for a person. A coded body is bytes that nobody could read. */
export function patienceOf({ head, signal }: Ask, body: Body): Patience {
  const preferences = valuesOf(head.headers, 'prefer').flatMap((value) => value.split(','));
  const respondAsync = preferences.some((each) => each.trim().toLowerCase() === 'respond-async');
  const { bytes, readable } = body;
  return { signal, respondAsync, readable: bytes === null || bytes === readable ? readable : null };
}

export interface ReadIntent {
  readonly intent: Intent & { readonly args: HttpRequestArgs };
  readonly plan: SecretPlan | SecretRefusal;
}

/** The adapter: after this everything hostile was parsed. */
export function readIntent(
  ask: Ask,
  policy: InForce,
  headers: HeaderPairs,
  body: Body,
  action: 'http.request' | 'http.upgrade' = 'http.request',
): ReadIntent | Refusal {
  const { head } = ask;
  const { endpoint, method } = head;
  const target = readTarget(head.target, transportFor(policy.snapshot, endpoint.origin).encodedSlash);
  if (isRefusal(target)) return target;
  const payload = readPayload(body);
  if (isRefusal(payload)) return payload;
  const { path } = target;
  // A placeholder hides behind percent-encoding as well.
  const query = [...target.query, ...target.query.map(decodedPair)];
  const plan = planSecrets({ origin: endpoint.origin, method, path, query, headers }, policy.session.secrets);
  const kept = plan.refused ? headers : plan.headers;
  return { intent: toIntent(policy.session, { method, endpoint, target, headers: kept, payload, action }), plan };
}

function decodedPair([name, value]: readonly [string, string]): readonly [string, string] {
  return [decoded(name), decoded(value)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The control plane has not said what this session may do, or is gone: nothing is decided on a guess. */
export function withoutPolicy(): Refusal {
  return refuse('stale-policy', 'This session has no policy in force, so nothing is allowed.', {
    nextSteps: ['try again in a few seconds', 'cordon status'],
  });
}
