import { setTimeout as pause } from 'node:timers/promises';
import type { HoldState } from '@cordon/protocol';
import type { RaisedAlarm } from '../fleet/fleet.ts';
import { limits } from '../limits.ts';
import type { Log } from '../log.ts';

/** What the receiver is told: of a hold it links to it and carries nothing that could approve it. */
export type WebhookMessage = HoldMessage | FleetMessage;

/** One resource was denied in many sessions of several agents. */
export interface FleetMessage extends RaisedAlarm {
  readonly v: 'fleet-event/1';
}

export interface HoldMessage {
  readonly v: 'hold-event/1';
  readonly hold: string;
  readonly state: HoldState;
  readonly session: string;
  readonly agent: string;
  readonly summary: string;
  readonly expires: string;
}

/** Sends one message; the composition root does it, with a connection of its own. The answer is only its status. */
export type WebhookPost = (url: string, body: string, signal: AbortSignal) => Promise<number>;

/**
 * Tells a receiver outside that something waits, or no longer does. Nothing depends on it: it is bounded, tried a few
 * times, and what it answers is never read. Chat messages that come of it notify; a click there approves nothing.
 */
export class Webhook implements Disposable {
  readonly #post: WebhookPost;
  readonly #log: Log;
  readonly #ending = new AbortController();
  #waiting: Array<{ readonly url: string; readonly message: WebhookMessage }> = [];
  #sending = false;

  constructor(post: WebhookPost, log: Log) {
    this.#post = post;
    this.#log = log;
  }

  tell(url: string, message: WebhookMessage): void {
    if (this.#waiting.length >= limits.webhooksWaitingMax) this.#waiting.shift();
    this.#waiting.push({ url, message });
    if (!this.#sending) void this.#send();
  }

  [Symbol.dispose](): void {
    this.#waiting = [];
    this.#ending.abort();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { url, message } = next;
      if (!(await this.#deliver(url, JSON.stringify(message)))) {
        const what =
          message.v === 'hold-event/1' ? `${message.hold} ${message.state}` : `the alarm about ${message.resource}`;
        this.#log.warn(`webhook: ${what} was not delivered`);
      }
    }
    this.#sending = false;
  }

  async #deliver(url: string, body: string): Promise<boolean> {
    const { signal } = this.#ending;
    for (let tried = 0; tried < limits.webhookTriesMax && !signal.aborted; tried += 1) {
      if (tried > 0) {
        await pause(limits.webhookRetryMs * 2 ** (tried - 1), undefined, { signal }).catch(() => undefined);
      }
      const timed = AbortSignal.any([signal, AbortSignal.timeout(limits.webhookTimeoutMs)]);
      const status = await this.#post(url, body, timed).catch(() => 0);
      if (status >= 200 && status < 300) return true;
      // What it refuses it will refuse again.
      if (status >= 400 && status < 500 && status !== 429) return false;
    }
    return false;
  }
}
