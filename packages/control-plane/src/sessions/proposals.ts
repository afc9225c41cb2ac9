import type { RecordValue, SessionPolicy, SupervisorMethods } from '@cordon/protocol';
import type { StoredSession } from '@cordon/store';
import type { Labels } from '../labels/labels.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { checkEtag } from './registry.ts';
import type { SessionBackends, Sessions } from './sessions.ts';

/** How many names of paths stand in an entry; all of them are in its body. */
const pathsInClearMax = 64;

const short = (path: string): string => path.slice(0, 256);

/** What sessions changed in their workspaces, and what people do with it: each act is recorded before it is done. */
export class Proposals {
  readonly #sessions: Sessions;
  readonly #recorder: Recorder;
  readonly #labels: Labels;
  readonly #supervisor: SessionBackends['supervisor'];

  constructor(sessions: Sessions, recorder: Recorder, labels: Labels, supervisor: SessionBackends['supervisor']) {
    this.#sessions = sessions;
    this.#recorder = recorder;
    this.#labels = labels;
    this.#supervisor = supervisor;
  }

  async changes(id: string): Promise<SupervisorMethods['changes']['result']> {
    await this.#sessions.get(id);
    return await this.#supervisor('changes', { session: id });
  }

  async apply(
    id: string,
    order: { paths: readonly string[] | null; protectedPaths: readonly string[] },
    by: string,
    ifMatch: string | null,
  ): Promise<SupervisorMethods['apply']['result']> {
    const session = await this.#sessions.get(id);
    checkEtag(session, ifMatch);
    const { paths, protectedPaths } = order;
    const data = {
      act: 'apply',
      by,
      paths: paths?.length ?? 'all',
      protectedPaths: protectedPaths.slice(0, pathsInClearMax).map(short),
    };
    await this.#recorder.record({ type: 'admin', session: id, data, body: JSON.stringify(order) }, 'disk');
    await this.#labels.applied(id, session.workspace, by, startOf(session));
    const done = await this.#supervisor('apply', { session: id, ...order });
    const result = { act: 'applied', by, applied: done.applied.length, refused: done.refused.length };
    await this.#recorder.record({ type: 'admin', session: id, data: result, body: JSON.stringify(done) }, 'disk');
    return done;
  }

  async discard(id: string, by: string, ifMatch: string | null): Promise<void> {
    checkEtag(await this.#sessions.get(id), ifMatch);
    await this.#recorder.admin(by, 'discard', {}, id);
    await this.#supervisor('discard', { session: id });
  }
}

/** What a session began with; null for one of before there were labels. */
function startOf({ detail }: StoredSession): RecordValue {
  const policy = detail['policy'] as unknown as SessionPolicy | undefined;
  return policy?.labels?.start ?? null;
}
