import type { Session } from '@cordon/protocol';
import type { StoredSession } from '@cordon/store';

/** What a session had that was recorded before there was a choice. */
const before = { capture: 'none', sockets: 'hand-off' };

/** A session as the API shows it: its record without what only we need. */
export function toSession(stored: StoredSession): Session {
  const { sandbox } = stored;
  return {
    id: stored.id,
    tenant: stored.tenant,
    agent: stored.agent,
    profile: stored.profile,
    person: stored.person,
    state: stored.state,
    command: [...stored.command],
    workspace: stored.workspace,
    workspaceMode: stored.workspaceMode,
    startedAt: stored.startedAt,
    endedAt: stored.endedAt,
    sandbox:
      sandbox === null ? null : { ...before, ...sandbox, layers: { ...sandbox.layers }, weaker: [...sandbox.weaker] },
    exit: stored.exit,
    decisions: { ...stored.decisions },
    grants: [...stored.grants],
    etag: stored.etag,
  };
}
