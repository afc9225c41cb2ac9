import type { Intent, PayloadKind, Principal } from '@cordon/protocol';

export interface Trial extends Pick<Intent, 'action' | 'resource' | 'args'> {
  readonly bytes: number;
  readonly body: PayloadKind;
}

/** An intent of this principal that nobody made, to try policies with. No policy reads its salt or its payload's hash. */
export function trialIntent(principal: Principal, { action, resource, args, bytes, body }: Trial): Intent {
  const { tenant, session, agent, chain } = principal;
  return {
    v: 'intent/1',
    tenant,
    session,
    agent,
    chain,
    salt: '0'.repeat(32),
    action,
    resource,
    args,
    payload: { sha256: `sha256:${'0'.repeat(64)}`, bytes, kind: body },
  };
}
