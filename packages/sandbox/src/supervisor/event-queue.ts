import type { Channel, SupervisorEvents, SupervisorMethods } from '@cordon/protocol';
import { supervisorLimits } from '../limits.ts';
import type { SupervisorLogEvent } from './options.ts';

export type ControlChannel = Channel<SupervisorEvents, SupervisorMethods>;
type EventName = keyof SupervisorEvents;

interface Waiting {
  readonly name: EventName;
  readonly params: SupervisorEvents[EventName]['params'];
  readonly taken: () => void;
}

/**
 * Events for the control plane, in order, each until it was answered: at least once, over any number of connections.
 * Bounded: from half of the limit on, only ends of sessions are taken, and no session starts, so that every end has a
 * place; what is dropped is in the log.
 */
export class EventQueue {
  readonly #waiting: Waiting[] = [];
  readonly #log: (event: SupervisorLogEvent) => void;
  #channel: ControlChannel | null = null;
  #sending = false;
  #idle: Array<() => void> = [];

  constructor(log: (event: SupervisorLogEvent) => void) {
    this.#log = log;
  }

  get isFull(): boolean {
    return this.#waiting.length >= supervisorLimits.eventsMax / 2;
  }

  /** `taken` runs once the control plane has answered, that is, recorded it. */
  push<K extends EventName>(name: K, params: SupervisorEvents[K]['params'], taken: () => void = () => undefined): void {
    // The upper half is for the ends of sessions: there are never more of those than it holds.
    const isEnd = name === 'session.exited' || name === 'recovered';
    if (this.isFull && !isEnd) {
      this.#log({ event: 'event-dropped', name });
      return;
    }
    this.#waiting.push({ name, params, taken });
    void this.#send();
  }

  /** The connection to tell from now on; the one before it is forgotten. */
  connect(channel: ControlChannel): void {
    this.#channel = channel;
    channel.onClose(() => {
      if (this.#channel === channel) this.#channel = null;
    });
    void this.#send();
  }

  /** Settles when nothing waits any more, or no control plane is there to take it. */
  flushed(): Promise<void> {
    if (this.#waiting.length === 0 || this.#channel === null) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#channel !== null && this.#waiting.length > 0) {
      const next = this.#waiting[0];
      if (next === undefined) break;
      const channel = this.#channel;
      try {
        await channel.call(next.name, next.params, supervisorLimits.eventTimeoutMs);
        this.#waiting.shift();
        next.taken();
      } catch (error: unknown) {
        if (channel.closed || this.#channel !== channel) continue;
        this.#log({ event: 'event-not-taken', name: next.name, error: error instanceof Error ? error.message : '' });
        await new Promise((resolve) => setTimeout(resolve, supervisorLimits.eventRetryMs).unref());
      }
    }
    this.#sending = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
