import {
  Channel,
  type ChannelStream,
  type Clock,
  type Handlers,
  isCordonError,
  type SupervisorEvents,
  type SupervisorMethods,
} from '@cordon/protocol';
import { fault, refusal } from '../error.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';
import { isNobody } from './socket.ts';

export type SupervisorState = SupervisorMethods['hello']['result'];

export interface SupervisorLinkOptions {
  readonly boot: string;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  /** Opens `supervisor.sock`. */
  connect(): Promise<ChannelStream>;
  /** Starts a supervisor that outlives us; called only when nobody listens. */
  spawn(): Promise<() => string | null>;
  /** Ends the process of one that is silent. */
  end(pid: number): void;
  readonly events: Handlers<SupervisorEvents>;
  /** After every (re)connection, before queued events come: what is really running there. */
  connected(state: SupervisorState): Promise<void>;
}

/**
 * The line to the supervisor. It is found or started, and found again when it is lost; a supervisor that lives on
 * after we died is simply taken over, sandboxes and all.
 */
export class SupervisorLink implements Disposable {
  readonly #options: SupervisorLinkOptions;
  #channel: Channel<SupervisorMethods, SupervisorEvents> | null = null;
  #state: SupervisorState | null = null;
  #connecting: Promise<void> | null = null;
  #ended = false;

  constructor(options: SupervisorLinkOptions) {
    this.#options = options;
  }

  /** Pid and boot of the supervisor that we are connected to. */
  get state(): Pick<SupervisorState, 'boot' | 'pid'> | null {
    return this.#channel === null ? null : this.#state;
  }

  /** Resolves once a supervisor answers; a second caller waits for the same attempt. */
  ensure(): Promise<void> {
    if (this.#channel !== null) return Promise.resolve();
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  /** @throws CordonError `supervisor-unavailable`, or the supervisor's own refusal */
  async call<K extends keyof SupervisorMethods & string>(
    method: K,
    params: SupervisorMethods[K]['params'],
    timeoutMs?: number,
  ): Promise<SupervisorMethods[K]['result']> {
    await this.ensure();
    if (this.#channel === null) throw unavailable();
    return await this.#channel.call(method, params, timeoutMs).catch(translate);
  }

  /**
   * Ends a supervisor that answers nothing (a stopped process, an event loop that hangs), and its sandboxes with it: a
   * kill must not wait for it, and nobody else could carry it out. True: it was silent, and the next one is looked for.
   */
  async endIfSilent(): Promise<boolean> {
    const channel = this.#channel;
    const state = this.#state;
    if (channel === null || state === null) return false;
    try {
      // Asks for nothing to be done; one that lives answers at once, whatever else it waits for.
      await channel.call('freeze', { sessions: [] }, limits.supervisorSilenceMs);
      return false;
    } catch (error: unknown) {
      if (!isCordonError(error) || error.code !== 'channel-timeout' || this.#channel !== channel) return false;
    }
    this.#options.log.warn(`supervisor ${state.pid} says nothing; it is ended, and every sandbox with it`);
    this.#options.end(state.pid);
    channel.close();
    return true;
  }

  /** Ends the supervisor with everything that it runs; resolves when its process has let go of us. */
  async shutdown(): Promise<void> {
    // One that is out of touch is asked as well; none is started only to be ended.
    if (this.#channel === null) await this.#open().catch(() => undefined);
    const channel = this.#channel;
    if (channel === null) return;
    const gone = new Promise<void>((resolve) => channel.onClose(resolve));
    // From here on its end is what we want: nobody looks for it again.
    this.#ended = true;
    await channel.call('shutdown', null, limits.supervisorStopTimeoutMs).catch((error: unknown) => {
      if (!channel.closed) throw error;
    });
    const late = new Promise<void>((resolve) => setTimeout(resolve, limits.supervisorHelloTimeoutMs).unref());
    await Promise.race([gone, late]);
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#channel?.close();
  }

  async #connect(): Promise<void> {
    const { clock, log } = this.#options;
    const deadline = clock.monotonic() + limits.supervisorStartTimeoutMs;
    let endOf: (() => string | null) | null = null;
    let pauseMs: number = limits.supervisorRetryMs;
    let last: unknown = null;
    while (!this.#ended && clock.monotonic() < deadline) {
      try {
        await this.#open();
        return;
      } catch (error: unknown) {
        last = error;
        if (isNobody(error) && endOf === null) {
          endOf = await this.#options.spawn();
        } else if (!isNobody(error)) {
          log.fault('supervisor', error);
        }
      }
      // One that ended at its start will not answer later either.
      const ended = endOf?.() ?? null;
      if (ended !== null) throw unavailable(last, ended);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(pauseMs * 1.3, limits.supervisorRetryMaxMs);
    }
    throw unavailable(last);
  }

  async #open(): Promise<void> {
    const stream = await this.#options.connect();
    const channel = new Channel<SupervisorMethods, SupervisorEvents>(stream, this.#options.events);
    const state = await channel
      .call('hello', { boot: this.#options.boot }, limits.supervisorHelloTimeoutMs)
      .catch((error: unknown) => {
        channel.close();
        throw error;
      });
    this.#state = state;
    this.#channel = channel;
    channel.onClose(() => {
      if (this.#channel === channel) this.#channel = null;
      if (!this.#ended) this.#lost();
    });
    await this.#options.connected(state);
  }

  /** At once, not at the next request: queued events and the sweep of what died with it are waiting to be recorded. */
  #lost(): void {
    this.#options.log.warn('the supervisor is gone; looking for it again');
    this.ensure().catch((error: unknown) => this.#options.log.fault('supervisor', error));
  }
}

/** The supervisor's own codes pass; what went wrong on the way, or unexpectedly over there, is no client's reading. */
function translate(error: unknown): never {
  if (!isCordonError(error) || !error.code.startsWith('channel-')) throw error;
  if (error.code === 'channel-remote') throw fault('internal', 'the supervisor met a fault', error);
  throw unavailable(error);
}

function unavailable(cause?: unknown, why = 'the supervisor does not answer') {
  return refusal('supervisor-unavailable', why, ['cordon status', 'cordon down, then try again'], cause);
}
