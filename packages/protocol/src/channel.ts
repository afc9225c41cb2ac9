import { CordonError, isCordonError } from './error.ts';
import { limits } from './limits.ts';

/**
 * The private channel between Cordon's own processes on one host: newline-delimited JSON, both sides may call.
 * It carries no byte that an agent chose, except inside strings that were bounded before.
 * A line over the cap, a line that is no message, or an answer to a call never made ends the channel: both ends are
 * ours, so any of them means that something is badly wrong (fail closed, I3).
 */
export interface ChannelStream {
  write(text: string): boolean;
  destroy(error?: Error): void;
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export type ChannelErrorCode =
  | 'channel-closed'
  | 'channel-protocol'
  | 'channel-timeout'
  | 'channel-full'
  | 'channel-remote';

/** Every method's parameters and result, by name. Events are methods whose result nobody waits for. */
export type Methods = { [method: string]: { params: unknown; result: unknown } };
export type Handlers<M extends Methods> = {
  readonly [K in keyof M]: (params: M[K]['params']) => M[K]['result'] | Promise<M[K]['result']>;
};

type Message =
  | { readonly id: number; readonly method: string; readonly params: unknown }
  | { readonly method: string; readonly params: unknown }
  | { readonly id: number; readonly result: unknown }
  | {
      readonly id: number;
      readonly error: { readonly code: string; readonly message: string; readonly nextSteps: readonly string[] };
    };

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** `Theirs` are the methods that we call on the other side, `Ours` those that we serve. */
export class Channel<Theirs extends Methods, Ours extends Methods> implements Disposable {
  readonly #stream: ChannelStream;
  readonly #handlers: Handlers<Ours>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closeListeners: Array<() => void> = [];
  #next = 1;
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  #closed = false;

  constructor(stream: ChannelStream, handlers: Handlers<Ours>) {
    this.#stream = stream;
    this.#handlers = handlers;
    stream.on('data', (chunk) => this.#read(chunk));
    stream.on('error', () => this.close());
    stream.on('close', () => this.close());
  }

  get closed(): boolean {
    return this.#closed;
  }

  onClose(listener: () => void): void {
    if (this.#closed) listener();
    else this.#closeListeners.push(listener);
  }

  /** @throws CordonError `channel-closed`, `channel-timeout`, `channel-full`, or the other side's error code */
  call<K extends keyof Theirs & string>(
    method: K,
    params: Theirs[K]['params'],
    timeoutMs: number = limits.channelCallTimeoutMs,
  ): Promise<Theirs[K]['result']> {
    if (this.#closed) return Promise.reject(closedError(method));
    if (this.#waiting.size >= limits.channelCallsMax) {
      return Promise.reject(new CordonError<ChannelErrorCode>('channel-full', `${method}: too many open calls`));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new CordonError<ChannelErrorCode>('channel-timeout', `${method}: no answer after ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, { resolve: (result) => resolve(result as Theirs[K]['result']), reject, timer });
      this.#write({ id, method, params });
    });
  }

  /** Sends without waiting; lost if the channel is closed, as any event to a dead process is. */
  send<K extends keyof Theirs & string>(method: K, params: Theirs[K]['params']): void {
    if (!this.#closed) this.#write({ method, params });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const [, waiting] of this.#waiting) {
      clearTimeout(waiting.timer);
      waiting.reject(closedError('call'));
    }
    this.#waiting.clear();
    this.#stream.destroy();
    for (const listener of this.#closeListeners) listener();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #write(message: Message): void {
    this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  #read(chunk: Uint8Array): void {
    let rest = chunk;
    for (let end = rest.indexOf(10); end >= 0 && !this.#closed; end = rest.indexOf(10)) {
      this.#rest.push(rest.subarray(0, end));
      const line = new TextDecoder('utf-8', { fatal: true });
      let text: string;
      try {
        text = this.#rest.map((part) => line.decode(part, { stream: true })).join('') + line.decode();
      } catch {
        this.close();
        return;
      }
      this.#rest = [];
      this.#restBytes = 0;
      rest = rest.subarray(end + 1);
      this.#receive(text);
    }
    if (rest.length === 0) return;
    this.#rest.push(rest);
    this.#restBytes += rest.length;
    if (this.#restBytes > limits.channelLineBytesMax) this.close();
  }

  #receive(line: string): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      this.close();
      return;
    }
    if (typeof message !== 'object' || message === null) {
      this.close();
    } else if ('method' in message) {
      void this.#serve(message);
    } else {
      this.#settle(message);
    }
  }

  #settle(answer: Exclude<Message, { method: string }>): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) {
      // A call that timed out may still be answered; any other unknown id comes from a broken peer.
      if (!(answer.id < this.#next)) this.close();
      return;
    }
    this.#waiting.delete(answer.id);
    clearTimeout(waiting.timer);
    if ('error' in answer) {
      const { code, message, nextSteps } = answer.error;
      waiting.reject(new CordonError(code, message, { expose: true, nextSteps }));
    } else {
      waiting.resolve(answer.result);
    }
  }

  async #serve(message: { id?: number; method: string; params: unknown }): Promise<void> {
    const handler = Object.hasOwn(this.#handlers, message.method)
      ? this.#handlers[message.method as keyof Ours]
      : undefined;
    try {
      if (handler === undefined)
        throw new CordonError<ChannelErrorCode>('channel-protocol', `no method ${message.method}`);
      const result: unknown = await handler(message.params as Ours[keyof Ours]['params']);
      if (message.id !== undefined && !this.#closed) this.#write({ id: message.id, result: result ?? null });
    } catch (error: unknown) {
      // The other side is ours, so it may read the code; a thrown value of another kind is a fault of this side.
      const code = isCordonError(error) ? error.code : 'channel-remote';
      const text = error instanceof Error ? error.message : String(error);
      const nextSteps = isCordonError(error) ? error.nextSteps : [];
      if (message.id !== undefined && !this.#closed) {
        this.#write({ id: message.id, error: { code, message: text, nextSteps } });
      }
    }
  }
}

function closedError(method: string): CordonError {
  return new CordonError<ChannelErrorCode>('channel-closed', `${method}: the channel is closed`);
}
