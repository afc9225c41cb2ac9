import { CordonError } from '@cordon/protocol';
import { apiErrorOf, type SdkErrorCode } from './error.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { limits } from './limits.ts';
import type { ApiRequest, ByteStream, Transport } from './transport.ts';

/** Anything that turns unknown JSON into a checked value; protocol's schemas are such. */
export interface Schema<T> {
  parse(value: unknown): T;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly ifMatch?: string | undefined;
  /** Makes a repeated create return the first answer instead of doing it twice. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One call, one checked answer. Everything else of the SDK is built from these three methods. */
export class ApiClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws ApiError for what the server refuses, CordonError `unreachable` | `answer-invalid` | `answer-too-large` */
  async call<T>(method: ApiRequest['method'], path: string, schema: Schema<T>, options: CallOptions = {}): Promise<T> {
    const answer = await this.#transport.send({
      method,
      path: withQuery(path, options.query),
      headers: {
        accept: 'application/json',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(options.ifMatch === undefined ? {} : { 'if-match': options.ifMatch }),
        ...(options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const text = await readText(answer.body);
    if (answer.status < 200 || answer.status > 299) throw apiErrorOf(answer.status, text);
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new CordonError<SdkErrorCode>(
        'answer-invalid',
        `${method} ${path}: the answer is not what this SDK expects`,
        {
          cause,
          expose: true,
          nextSteps: ['cordon status (do the daemon and the command line have one version?)'],
        },
      );
    }
  }

  async *events(path: string, options: Pick<CallOptions, 'query' | 'signal'> = {}): AsyncGenerator<ServerEvent> {
    const answer = await this.#transport.send({
      method: 'GET',
      path: withQuery(path, options.query),
      headers: { accept: 'text/event-stream' },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (answer.status !== 200) throw apiErrorOf(answer.status, await readText(answer.body));
    yield* readEvents(answer.body);
  }

  upgrade(path: string, protocol: string, options: Pick<CallOptions, 'query' | 'signal'> = {}): Promise<ByteStream> {
    return this.#transport.upgrade(withQuery(path, options.query), protocol, options.signal);
  }
}

function withQuery(path: string, query: CallOptions['query'] = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  if (pairs.length === 0) return path;
  return `${path}?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limits.answerBytesMax) {
      throw new CordonError<SdkErrorCode>('answer-too-large', `the answer is over ${limits.answerBytesMax} bytes`, {
        expose: true,
      });
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
