import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Clock, systemClock } from '@cordon/protocol';
import { type HttpRecord, recordOf } from '../http-record.ts';
import { limits } from '../limits.ts';
import { closeServer, listenOnLoopback } from '../listen.ts';
import type { IssuedCertificate } from '../tls/ca.ts';
import { messageEvents, messageOf, readMessages } from './anthropic.ts';
import { completionEvents, completionOf, readChat } from './chat.ts';
import { generatedEvents, generatedOf, generatePath, readGenerate } from './gemini.ts';
import { readResponses, responseEvents, responseOf } from './responses.ts';
import { type Answer, type Ask, answerTo, type Script } from './script.ts';
import { toWire, type WireEvent } from './wire.ts';

export interface ScriptedModelOptions {
  readonly script: Script;
  /** Keys that are accepted, in `x-api-key`, `x-goog-api-key` or as a Bearer token; without one the answer is 401, as a provider's. `null`: any. */
  readonly keys: readonly string[] | null;
  /** With a certificate the server speaks TLS, else plain http. */
  readonly tls?: IssuedCertificate;
  readonly clock?: Clock;
}

export interface ModelRecord extends HttpRecord {
  readonly status: number;
  /** What the request asked for, `null` for paths and bodies that are no model call. */
  readonly ask: Ask | null;
  /** The key as it arrived: `x-api-key`, else `x-goog-api-key`, else the Bearer token, else empty. */
  readonly key: string;
}

interface WireFormat {
  readonly read: (body: unknown, path: string) => Ask;
  readonly whole: (ask: Ask, answer: Answer, id: string) => Record<string, unknown>;
  readonly events: (ask: Ask, answer: Answer, id: string) => WireEvent[];
}

const formats: ReadonlyMap<string, WireFormat> = new Map([
  ['/v1/messages', { read: readMessages, whole: messageOf, events: messageEvents }],
  ['/v1/chat/completions', { read: readChat, whole: completionOf, events: completionEvents }],
  ['/v1/responses', { read: readResponses, whole: responseOf, events: responseEvents }],
]);
const gemini: WireFormat = { read: readGenerate, whole: generatedOf, events: generatedEvents };

/**
 * A model provider that plays a script, in four wire formats at once, as `api.anthropic.com`, `api.openai.com` and
 * `generativelanguage.googleapis.com` would. It decides nothing about the harness: what the agent did is judged by what reached this and other servers.
 */
export class ScriptedModel {
  readonly #server: Server;
  readonly #options: ScriptedModelOptions;
  readonly #requests: ModelRecord[] = [];
  #port = 0;
  #answers = 0;

  private constructor(options: ScriptedModelOptions) {
    this.#options = options;
    const listener: RequestListener = (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined);
      });
    };
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  static async start(options: ScriptedModelOptions): Promise<ScriptedModel> {
    const model = new ScriptedModel(options);
    model.#port = await listenOnLoopback(model.#server);
    return model;
  }

  get port(): number {
    return this.#port;
  }

  /** Without a trailing slash; the formats' paths follow. */
  get url(): string {
    return `${this.#options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  /** Everything that arrived, oldest first. */
  get requests(): readonly ModelRecord[] {
    return this.#requests;
  }

  /** The requests that asked for an answer with tools at hand: the agent's own turns. */
  get turns(): readonly ModelRecord[] {
    return this.#requests.filter((request) => (request.ask?.tools.length ?? 0) > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeServer(this.#server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = await recordOf(request, (this.#options.clock ?? systemClock).now());
    if (record === null) {
      answerJson(response, 413, failure('request_too_large', 'request over the cap'));
      return;
    }
    const key =
      record.headers['x-api-key'] ??
      record.headers['x-goog-api-key'] ??
      /^Bearer (.*)$/.exec(record.headers['authorization'] ?? '')?.[1] ??
      '';
    const accepted = this.#options.keys === null || this.#options.keys.includes(key);
    const [ask, status] = accepted ? this.#answer(record, response) : [null, 401];
    if (!accepted) answerJson(response, 401, failure('authentication_error', 'invalid x-api-key'));
    if (this.#requests.length < limits.recordsMax) this.#requests.push({ ...record, ask, status, key });
  }

  #answer(record: HttpRecord, response: ServerResponse): [Ask | null, number] {
    const path = record.target.split('?')[0] ?? '';
    const format = formats.get(path) ?? (generatePath.test(path) ? gemini : undefined);
    if (record.method === 'POST' && format !== undefined) {
      this.#answers += 1;
      const ask = format.read(parsed(record.body), path);
      return [ask, this.#play(format, ask, response)];
    }
    switch (`${record.method} ${path}`) {
      case 'POST /v1/messages/count_tokens':
        return [null, answerJson(response, 200, { input_tokens: 100 })];
      case 'GET /v1/models':
      case 'GET /v1beta/models':
        return [null, answerJson(response, 200, { object: 'list', data: [], has_more: false, models: [] })];
      case 'HEAD /':
        return [null, answerJson(response, 200, {})];
      default:
        if (record.method === 'POST' && path.startsWith('/v1beta/models/') && path.endsWith(':countTokens'))
          return [null, answerJson(response, 200, { totalTokens: 100 })];
        return [
          null,
          answerJson(response, 404, failure('not_found_error', `no such endpoint: ${record.method} ${path}`)),
        ];
    }
  }

  #play(format: WireFormat, ask: Ask, response: ServerResponse): number {
    const id = `scripted_${this.#answers}`;
    let answer: Answer;
    try {
      answer = answerTo(ask, this.#options.script);
    } catch (error) {
      // 400, not 500: a harness would repeat a 500 for minutes, and the test should end with this message.
      return answerJson(
        response,
        400,
        failure('invalid_request_error', error instanceof Error ? error.message : 'script'),
      );
    }
    if (!ask.stream) return answerJson(response, 200, format.whole(ask, answer, id));
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
    for (const event of format.events(ask, answer, id)) response.write(toWire(event));
    response.end();
    return 200;
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

/** The providers' error forms at once; each client reads the members it knows. */
function failure(type: string, message: string): Record<string, unknown> {
  return { type: 'error', error: { type, message, code: type, param: null } };
}

function answerJson(response: ServerResponse, status: number, body: Record<string, unknown>): number {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
  return status;
}
