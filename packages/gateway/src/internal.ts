import type { Destination } from '@cordon/egress';
import type { InForce } from './control/policies.ts';
import type { GatewayLimits } from './limits.ts';
import { type Refusal, refuse } from './refuse/refusal.ts';
import type { Session } from './session/session.ts';

/** Names that are served here and never forwarded; the ones without a page yet are 404, not somebody else's. */
export function isOwnName(host: string): boolean {
  return host === 'cordon.internal' || host.endsWith('.cordon.internal');
}

export interface Page {
  readonly body: string;
}

/**
 * What an agent may know about itself: who it is, what is in force, what was denied lately. Reading it is free and is
 * no intent: it leaves nothing, and nothing here widens anything.
 */
export function readPage(
  request: { readonly method: string; readonly endpoint: Destination; readonly target: string },
  session: Session,
  policy: InForce | null,
  limits: GatewayLimits,
): Page | Refusal {
  const page = request.endpoint.host === 'cordon.internal' ? pages.get(request.target.split('?')[0] ?? '') : undefined;
  if (page === undefined) return refuse('not-found', 'http://cordon.internal/ lists what there is.');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuse('method-not-allowed', 'http://cordon.internal/ can only be read.');
  }
  return { body: `${JSON.stringify(page(session, policy, limits), null, 2)}\n` };
}

type PageOf = (session: Session, policy: InForce | null, limits: GatewayLimits) => object;

const pages: ReadonlyMap<string, PageOf> = new Map<string, PageOf>([
  ['/', overview],
  ['/policy', policyPage],
  ['/denials', (session) => ({ denials: session.denials.recent() })],
]);

function overview(session: Session, policy: InForce | null, limits: GatewayLimits): object {
  const who = policy?.session;
  return {
    session: session.id,
    agent: who?.agent ?? null,
    profile: who?.profile ?? null,
    person: who?.person ?? null,
    tenant: who?.tenant ?? null,
    started_at: who?.startedAt ?? null,
    stopped: session.stopped,
    policy: policy === null ? null : policyName(policy),
    limits: {
      request_body_bytes: limits.bodyBytesMax,
      answer_body_bytes: limits.answerBytesMax,
      requests_in_flight: limits.requestsInFlightMax,
      connections: limits.connectionsPerSessionMax,
      request_head_bytes: limits.headBytesMax,
    },
    pages: { '/policy': 'the policy in force', '/denials': `the last ${limits.denialsMax} denials, newest first` },
    help: [
      'Everything that leaves this sandbox passes Cordon. Each request is decided by policy and recorded.',
      'A refused request is answered with 403 and application/problem+json: its next_steps say what would allow it.',
      'Only a person outside can grant more (cordon run --allow …). Trying other ways around will not work.',
      'Secrets are placeholders (cordon:secret:NAME): use them as if they were the value, where they are bound.',
    ],
  };
}

function policyPage(_session: Session, policy: InForce | null): object {
  if (policy === null) return { policy: null };
  const layers = [...policy.tenant.layers, policy.session.layer];
  return {
    ...policyName(policy),
    layers: layers.map((layer) => ({ name: layer.name, policies: layer.policies })),
    secrets: policy.session.secrets.map(({ name, to, at, methods, paths }) => ({ name, to, at, methods, paths })),
  };
}

function policyName({ snapshot }: InForce): object {
  return { generation: snapshot.generation, revision: snapshot.revision, digest: snapshot.digest };
}
