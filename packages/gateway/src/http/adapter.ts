import type { Destination } from '@cordon/egress';
import { type HttpArgs, type Intent, type Payload, type SessionPolicy, sealRecord } from '@cordon/protocol';
import type { Target } from './target.ts';
import type { HeaderPairs } from './wire-head.ts';

/** `args` of an http intent as this adapter writes them; `search` are the very bytes of the query. */
export interface HttpRequestArgs extends HttpArgs {
  readonly search: string | null;
}

/** Everything of one request, as it will be performed. Nothing hostile is parsed below this line. */
export interface HttpRequest {
  readonly method: string;
  readonly endpoint: Destination;
  readonly target: Target;
  /** As they will be forwarded, placeholders as they are. */
  readonly headers: HeaderPairs;
  readonly payload: Payload;
  readonly action?: 'http.request' | 'http.upgrade';
}

/** Content only: the same bytes tried again give the same intent, and so the same hash. Nobody can change it any more. */
export function toIntent(session: SessionPolicy, request: HttpRequest): Intent & { readonly args: HttpRequestArgs } {
  return sealRecord({
    action: request.action ?? 'http.request',
    agent: session.agent,
    args: {
      headers: request.headers,
      method: request.method,
      path: request.target.path,
      query: request.target.query,
      search: request.target.search,
    },
    chain: session.chain,
    payload: request.payload,
    resource: request.endpoint.origin,
    salt: session.salt,
    session: session.session,
    tenant: session.tenant,
    v: 'intent/1',
  });
}

/** The request target as it is written on the wire. */
export function wireTarget(args: HttpRequestArgs): string {
  return args.search === null ? args.path : `${args.path}?${args.search}`;
}
