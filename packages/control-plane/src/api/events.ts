import type { ServerResponse } from 'node:http';
import { limits } from '../limits.ts';
import type { ApiEvent } from './route.ts';

/**
 * Server-sent events (WHATWG HTML §9.2). A reader that leaves too much unread is cut off instead of held in our
 * memory: it resumes with `Last-Event-ID` and misses nothing, since every event's id is a cursor.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly signal: AbortSignal;

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.signal = signal;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'keep-alive',
    });
    response.flushHeaders();
    this.#timer = setInterval(() => response.write(':\n\n'), limits.eventKeepAliveMs);
    this.#timer.unref();
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  /** False once the reader is gone or too slow. */
  send({ event, id, data }: ApiEvent): boolean {
    if (this.signal.aborted || this.#response.destroyed) return false;
    this.#response.write(`event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
    if (this.#response.writableLength > limits.eventBacklogBytesMax) {
      this.#response.destroy();
      return false;
    }
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#response.end();
  }
}
