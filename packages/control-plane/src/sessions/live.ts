import type { ExitReport, SandboxReport, SessionPolicy, SessionState } from '@cordon/protocol';
import type { StoredSession } from '@cordon/store';

/** What is kept of a session that is alive, beside its record: enough to tell a new gateway everything about it. */
export interface LiveSession {
  readonly id: string;
  readonly agent: string;
  readonly cwd: string;
  /** For `exec`: the environment that the agent itself got. */
  readonly env: Readonly<Record<string, string>>;
  policy: SessionPolicy;
  state: SessionState;
  sandbox: SandboxReport | null;
  exit: ExitReport | null;
  /** Loaded from the store: no start of it is under way in this process. */
  readonly recovered: boolean;
  /** Settles when the answer to its start has been worked through, whatever it was. */
  readonly begun: PromiseWithResolvers<void>;
  /** Settles when the session is over and that is recorded. */
  readonly ended: PromiseWithResolvers<void>;
}

/** The part that the store keeps, so that a control plane that comes back knows its sessions. */
export interface LiveDetail {
  readonly policy: SessionPolicy;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export function createLive(
  detail: LiveDetail,
  stored: Pick<StoredSession, 'state' | 'sandbox' | 'exit'>,
  recovered: boolean,
): LiveSession {
  const begun = Promise.withResolvers<void>();
  if (recovered) begun.resolve();
  return {
    id: detail.policy.session,
    agent: detail.policy.agent,
    cwd: detail.cwd,
    env: detail.env,
    policy: detail.policy,
    state: stored.state,
    sandbox: stored.sandbox,
    exit: stored.exit,
    recovered,
    begun,
    ended: Promise.withResolvers<void>(),
  };
}
