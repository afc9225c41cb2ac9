import type { Session, SessionRequest } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import type { z } from 'zod';
import { Attachment } from './attachment.ts';
import type { ApiClient } from './client.ts';

export type Change = z.infer<typeof api.change>;
export type ApplyAnswer = z.infer<typeof api.applyAnswer>;
export type StopAnswer = z.infer<typeof api.stopAnswer>;
export type PolicyView = z.infer<typeof api.policyView>;
export type ExecRequest = z.input<typeof api.execRequest>;

const attachProtocol = 'cordon-attach/1';
const nothing = { parse: (): null => null };

/** One run of an agent. The handle holds no state but its id; `get` reads what is true now. */
export class SessionHandle {
  readonly #client: ApiClient;
  readonly id: string;

  constructor(client: ApiClient, id: string) {
    this.#client = client;
    this.id = id;
  }

  get(): Promise<Session> {
    return this.#client.call('GET', this.#path(), api.session);
  }

  /** Output from byte `offset` on (default: all that is still kept), input, signals, window size, exit. */
  async attach(options: { offset?: number; signal?: AbortSignal } = {}): Promise<Attachment> {
    const { offset = 0, ...rest } = options;
    return new Attachment(
      await this.#client.upgrade(`${this.#path()}/attach`, attachProtocol, { query: { offset }, ...rest }),
    );
  }

  /** Runs one more command inside the boundary and attaches to it. */
  async exec(request: ExecRequest): Promise<Attachment> {
    const { id } = await this.#client.call('POST', `${this.#path()}/exec`, api.execAnswer, { body: request });
    return new Attachment(
      await this.#client.upgrade(`${this.#path()}/exec/${id}/attach`, attachProtocol, { query: { offset: 0 } }),
    );
  }

  /** What the session would change in the workspace. */
  async changes(): Promise<Change[]> {
    return (await this.#client.call('GET', `${this.#path()}/changes`, api.changeList)).changes;
  }

  /** Applies the proposal to the workspace: all of it, or the named paths; protected ones only by name. */
  apply(request: z.input<typeof api.applyRequest> = {}): Promise<ApplyAnswer> {
    return this.#client.call('POST', `${this.#path()}/apply`, api.applyAnswer, { body: request });
  }

  async discard(): Promise<void> {
    await this.#client.call('POST', `${this.#path()}/discard`, nothing, { body: {} });
  }

  kill(reason: string): Promise<StopAnswer> {
    return this.#stop('kill', reason);
  }

  freeze(reason: string): Promise<StopAnswer> {
    return this.#stop('freeze', reason);
  }

  policy(): Promise<PolicyView> {
    return this.#client.call('GET', `${this.#path()}/policy`, api.policyView);
  }

  #stop(strength: 'kill' | 'freeze', reason: string): Promise<StopAnswer> {
    return this.#client.call('POST', '/v1/stops', api.stopAnswer, {
      body: { scope: { session: this.id }, strength, reason },
    });
  }

  #path(): string {
    return `/v1/sessions/${encodeURIComponent(this.id)}`;
  }
}

export class Sessions {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /**
   * Starts an agent in its own boundary; resolves when it runs.
   * @throws ApiError e.g. `session-stopped`, `policy-invalid`, `profile-unknown`, `start-failed`
   */
  async create(
    request: SessionRequest,
    options: { idempotencyKey?: string } = {},
  ): Promise<{ session: Session; handle: SessionHandle }> {
    const session = await this.#client.call('POST', '/v1/sessions', api.session, { body: request, ...options });
    return { session, handle: new SessionHandle(this.#client, session.id) };
  }

  handle(id: string): SessionHandle {
    return new SessionHandle(this.#client, id);
  }

  /** Newest first; pages are fetched as they are needed. */
  async *list(filter: { state?: ReadonlyArray<Session['state']>; agent?: string } = {}): AsyncGenerator<Session> {
    let cursor: string | undefined;
    do {
      const page = await this.#client.call('GET', '/v1/sessions', api.sessionPage, {
        query: { state: filter.state?.join(','), agent: filter.agent, cursor },
      });
      yield* page.sessions;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }
}
