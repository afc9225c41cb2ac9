import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { isCordonError } from '@cordon/protocol';
import { z } from 'zod';
import { fault, refusal } from '../error.ts';
import { limits } from '../limits.ts';
import { listenAt } from '../listen.ts';
import type { Log } from '../log.ts';
import { readJsonBody } from './body.ts';
import { EventStream } from './events.ts';
import type { Idempotency, PlainAnswer } from './idempotency.ts';
import { RouteTable } from './match.ts';
import { toInvalid, toProblem } from './problem.ts';
import { type ApiRequest, checkRoutes, type JsonRoute, type Route, type UpgradeRoute } from './route.ts';

export interface ApiOptions {
  readonly routes: readonly Route[];
  /** Whoever can open the socket: it is 0600, so the owner of the daemon (or root). */
  readonly caller: string;
  readonly idempotency: Idempotency;
  readonly log: Log;
}

/**
 * HTTP/1.1 on a Unix socket. One road for every request: match → parse by the route's schemas → handle → answer by
 * the route's schema. An answer that its own schema refuses is a fault, never sent.
 */
export class ApiServer implements AsyncDisposable {
  readonly #table: RouteTable;
  readonly #options: ApiOptions;
  readonly #server: Server;
  readonly #running = new Map<Route, number>();
  readonly #upgraded = new Set<Duplex>();
  readonly #ending = new AbortController();
  #streams = 0;

  constructor(options: ApiOptions) {
    checkRoutes(options.routes);
    this.#options = options;
    this.#table = new RouteTable(options.routes);
    this.#server = createServer(
      {
        maxHeaderSize: limits.apiHeadBytesMax,
        requestTimeout: limits.apiRequestTimeoutMs,
        headersTimeout: limits.apiRequestTimeoutMs,
        keepAliveTimeout: limits.apiKeepAliveMs,
        insecureHTTPParser: false,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxHeadersCount = limits.apiHeadersMax;
    this.#server.maxConnections = limits.apiConnectionsMax;
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      void this.#upgrade(request, socket, head);
    });
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  listen(path: string): Promise<void> {
    return listenAt(this.#server, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#upgraded) socket.destroy();
    this.#server.closeIdleConnections();
    // An answer under way (the one to `shutdown`) is let out; nothing else may hold us.
    const timer = setTimeout(() => this.#server.closeAllConnections(), 500);
    await closed;
    clearTimeout(timer);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy());
    const url = parseTarget(request.url);
    try {
      if (url === null) throw refusal('request-invalid', 'malformed request target');
      const match = this.#table.match(request.method ?? '', url.pathname);
      if (!match.found) throw unmatched(match.allowed, response);
      if (match.route.kind === 'upgrade') {
        throw refusal('upgrade-required', `this address only answers Upgrade: ${match.route.protocol}`);
      }
      await this.#handle(match.route, match.path, url.searchParams, request, response);
    } catch (error: unknown) {
      this.#refuse(request, response, error);
    }
  }

  async #handle(
    route: JsonRoute<unknown, unknown, unknown>,
    path: Readonly<Record<string, string>>,
    search: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { text, json } = await readJsonBody(request, route.body === null ? 2 : route.limits.bodyBytesMax);
    const parsed = this.#parse(route, path, search, json, request);
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.#ending.signal]);
    if (route.follow !== null && search.get('follow') === 'true') {
      await this.#follow(route.follow, { ...parsed, signal }, response);
      return;
    }
    using _slot = this.#enter(route);
    const work = async (): Promise<PlainAnswer> => {
      const answer = await withTimeout(route.handle({ ...parsed, signal }), route.limits.timeoutMs);
      return this.#encode(route, answer);
    };
    const key = request.headers['idempotency-key'];
    if (route.creates && typeof key === 'string') {
      const { answer, replayed } = await this.#options.idempotency.once(
        key,
        `${route.method} ${request.url}`,
        text,
        work,
      );
      write(response, replayed ? { ...answer, headers: { ...answer.headers, 'idempotent-replayed': 'true' } } : answer);
    } else {
      write(response, await work());
    }
  }

  #parse(
    route: Route,
    path: Readonly<Record<string, string>>,
    search: URLSearchParams,
    json: unknown,
    request: IncomingMessage,
  ): Omit<ApiRequest<unknown, unknown>, 'signal'> {
    const query = parseQuery(route.query, search);
    const schema = route.kind === 'json' ? route.body : null;
    const body = schema === null ? null : check('body', schema, json);
    return {
      path,
      query,
      body,
      caller: this.#options.caller,
      ifMatch: request.headers['if-match'] ?? null,
      lastEventId: oneHeader(request.headers['last-event-id']),
    };
  }

  #encode(
    route: JsonRoute<unknown, unknown, unknown>,
    answer: { body: unknown; etag?: string; location?: string },
  ): PlainAnswer {
    const checked = z.safeParse(route.answer.schema, answer.body);
    if (!checked.success) throw fault('internal', `${route.path}: the answer breaks its own schema`, checked.error);
    const headers: Record<string, string> = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    if (answer.etag !== undefined) headers['etag'] = answer.etag;
    if (answer.location !== undefined) headers['location'] = answer.location;
    return { status: route.answer.status, headers, body: JSON.stringify(checked.data) };
  }

  async #follow(
    follow: NonNullable<JsonRoute<unknown, unknown, unknown>['follow']>,
    request: ApiRequest<unknown, unknown>,
    response: ServerResponse,
  ): Promise<void> {
    if (this.#streams >= limits.eventStreamsMax) throw refusal('busy', 'too many event streams are open');
    const events = follow(request);
    this.#streams += 1;
    const stream = new EventStream(response, request.signal);
    try {
      for await (const event of events) if (!stream.send(event)) break;
    } catch (error: unknown) {
      this.#options.log.fault('event stream', error);
    } finally {
      this.#streams -= 1;
      stream.close();
    }
  }

  #enter(route: Route): Disposable {
    const running = this.#running.get(route) ?? 0;
    if (running >= route.limits.concurrentMax)
      throw refusal('busy', 'too many requests of this kind run', ['try again']);
    this.#running.set(route, running + 1);
    return { [Symbol.dispose]: () => void this.#running.set(route, (this.#running.get(route) ?? 1) - 1) };
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const url = parseTarget(request.url);
      const match = url === null ? null : this.#table.match(request.method ?? '', url.pathname);
      if (url === null || match?.found !== true || match.route.kind !== 'upgrade')
        throw refusal('not-found', 'no such address');
      if (request.headers.upgrade?.toLowerCase() !== match.route.protocol) {
        throw refusal('upgrade-required', `this address only answers Upgrade: ${match.route.protocol}`);
      }
      if (this.#upgraded.size >= limits.attachStreamsMax) throw refusal('busy', 'too many attached terminals');
      const parsed = this.#parse(match.route, match.path, url.searchParams, {}, request);
      const other = await this.#open(match.route, parsed);
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${match.route.protocol}\r\n\r\n`,
      );
      if (head.length > 0) other.write(head);
      this.#join(socket, other);
    } catch (error: unknown) {
      if (!isCordonError(error) || !error.expose) this.#options.log.fault('upgrade', error);
      const problem = toProblem(error);
      const body = JSON.stringify(problem);
      socket.end(
        `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
  }

  #open(route: UpgradeRoute<unknown>, parsed: Omit<ApiRequest<unknown, unknown>, 'signal'>): Promise<Duplex> {
    return route.handle({ ...parsed, body: null, signal: this.#ending.signal });
  }

  /** Raw bytes both ways; one end gone ends the other. Half-close passes on: end of input is not end of output. */
  #join(client: Duplex, other: Duplex): void {
    this.#upgraded.add(client);
    other.on('error', () => client.destroy());
    client.on('close', () => {
      this.#upgraded.delete(client);
      other.destroy();
    });
    other.on('close', () => client.end());
    client.pipe(other);
    other.pipe(client);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const problem = toProblem(error);
    if (problem.status >= 500) this.#options.log.fault(`${request.method} ${request.url}`, error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What was not read of the body must not be taken for the next request.
    const close = request.complete ? {} : { connection: 'close' };
    write(response, {
      status: problem.status,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...close },
      body: JSON.stringify(problem),
    });
  }
}

function write(response: ServerResponse, answer: PlainAnswer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

function parseTarget(target: string | undefined): URL | null {
  return target?.startsWith('/') === true ? URL.parse(`http://cordon.invalid${target}`) : null;
}

/** Repeated and unknown parameters are errors: which of two would count is nothing to guess. */
function parseQuery(schema: z.core.$ZodType | null, search: URLSearchParams): unknown {
  const names = [...search.keys()];
  if (new Set(names).size !== names.length) throw refusal('request-invalid', 'query: a parameter is given twice');
  if (schema === null) {
    if (names.length > 0) throw refusal('request-invalid', `query: unknown parameter ${names[0]}`);
    return {};
  }
  return check('query', schema, Object.fromEntries(search));
}

function check(where: 'body' | 'query', schema: z.core.$ZodType, value: unknown): unknown {
  const parsed = z.safeParse(schema, value);
  if (!parsed.success) throw toInvalid(where, parsed.error);
  return parsed.data;
}

function unmatched(allowed: readonly string[], response: ServerResponse) {
  if (allowed.length === 0) return refusal('not-found', 'no such address', ['see GET /v1/openapi.json']);
  response.setHeader('allow', allowed.join(', '));
  return refusal('method-not-allowed', `this address takes ${allowed.join(', ')}`);
}

function oneHeader(value: string | string[] | undefined): string | null {
  return typeof value === 'string' && value.length <= limits.cursorCharsMax ? value : null;
}

function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(refusal('busy', `no answer after ${timeoutMs} ms`)), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
