import { setTimeout as pause } from 'node:timers/promises';
import {
  Channel,
  type ChannelStream,
  type GatewayMethods,
  type GatewayUplink,
  type Handlers,
  isCordonError,
} from '@cordon/protocol';

export interface UplinkOptions {
  readonly connect: (signal: AbortSignal) => Promise<ChannelStream>;
  readonly handlers: Handlers<GatewayMethods>;
  readonly hello: () => GatewayUplink['hello']['params'];
  readonly welcome: (answer: GatewayUplink['hello']['result']) => void;
  readonly retryMs: number;
  readonly report: (code: string, message: string) => void;
}

type Up = Channel<GatewayUplink, GatewayMethods>;

/** The gateway's end of the private channel: opened again whenever it is lost, for as long as the gateway lives. */
export class Uplink implements AsyncDisposable {
  readonly #options: UplinkOptions;
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #channel: Up | null = null;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#loop = this.#run();
  }

  /** null while the control plane is away. */
  get channel(): Up | null {
    return this.#channel;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#channel?.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    let told = false;
    while (!signal.aborted) {
      try {
        await this.#hold(signal);
        told = false;
      } catch (error: unknown) {
        // Said once per outage: five lines a second would drown what matters.
        if (!told && !signal.aborted) {
          this.#options.report(
            isCordonError(error) ? error.code : 'uplink-failed',
            'the control plane is not reachable',
          );
        }
        told = true;
      }
      await pause(this.#options.retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Resolves when the channel that was opened has closed. */
  async #hold(signal: AbortSignal): Promise<void> {
    const stream = await this.#options.connect(signal);
    if (signal.aborted) {
      stream.destroy();
      return;
    }
    const channel: Up = new Channel(stream, this.#options.handlers);
    const closed = new Promise<void>((resolve) => channel.onClose(resolve));
    try {
      this.#options.welcome(await channel.call('hello', this.#options.hello()));
      this.#channel = channel;
      await closed;
    } finally {
      this.#channel = null;
      channel.close();
    }
  }
}
