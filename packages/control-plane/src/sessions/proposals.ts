import type { SupervisorMethods } from '@cordon/protocol';
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
  readonly #supervisor: SessionBackends['supervisor'];

  constructor(sessions: Sessions, recorder: Recorder, supervisor: SessionBackends['supervisor']) {
    this.#sessions = sessions;
    this.#recorder = recorder;
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
    checkEtag(await this.#sessions.get(id), ifMatch);
    const { paths, protectedPaths } = order;
    const data = {
      act: 'apply',
      by,
      paths: paths?.length ?? 'all',
      protectedPaths: protectedPaths.slice(0, pathsInClearMax).map(short),
    };
    await this.#recorder.record({ type: 'admin', session: id, data, body: JSON.stringify(order) }, 'disk');
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
