import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Clock, systemClock } from '@cordon/protocol';
import { type HttpRecord, recordOf } from '../http-record.ts';
import { limits } from '../limits.ts';
import { closeServer, listenOnLoopback } from '../listen.ts';
import type { IssuedCertificate } from '../tls/ca.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface HttpSinkOptions {
  readonly tls?: IssuedCertificate;
  /** Default: 200 and the text `canary\n`. */
  readonly answer?: (request: HttpRecord) => HttpAnswer;
  readonly clock?: Clock;
}

/** A web server somewhere outside, which remembers what reached it: the judge of every egress test. */
export class HttpSink {
  readonly #server: Server;
  readonly #requests: HttpRecord[] = [];
  #connections = 0;
  #port = 0;

  private constructor(options: HttpSinkOptions) {
    const clock = options.clock ?? systemClock;
    const listener: RequestListener = (request, response) => {
      recordOf(request, clock.now()).then(
        (record) => {
          if (record !== null && this.#requests.length < limits.recordsMax) this.#requests.push(record);
          const answer =
            record === null ? { status: 413 } : (options.answer?.(record) ?? { status: 200, body: 'canary\n' });
          const body = answer.body ?? '';
          response.writeHead(answer.status, { 'content-length': Buffer.byteLength(body), ...answer.headers });
          response.end(record?.method === 'HEAD' ? undefined : body);
        },
        () => response.destroy(),
      );
    };
    const head = { maxHeaderSize: limits.requestHeadBytesMax };
    this.#server =
      options.tls === undefined ? createServer(head, listener) : createTlsServer({ ...head, ...options.tls }, listener);
    // Counted below TLS and HTTP: even a connection that never says a word is an escape.
    this.#server.on('connection', () => {
      this.#connections += 1;
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  static async start(options: HttpSinkOptions = {}): Promise<HttpSink> {
    const sink = new HttpSink(options);
    sink.#port = await listenOnLoopback(sink.#server);
    return sink;
  }

  get port(): number {
    return this.#port;
  }

  get requests(): readonly HttpRecord[] {
    return this.#requests;
  }

  /** Accepted TCP connections, with or without a request. */
  get connections(): number {
    return this.#connections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeServer(this.#server);
  }
}
