import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WireHead } from '../http/wire-head.ts';
import type { GatewayLimits } from '../limits.ts';
import { answerRaw, problemOf } from '../refuse/answer.ts';
import { type Refusal, type RefusalCode, refuse } from '../refuse/refusal.ts';
import type { Connection } from './connection.ts';
import type { Incoming, Reply } from './wire.ts';

export interface FrontHandlers {
  /** Answers in every case; one that throws ends the connection. */
  request(connection: Connection, request: Incoming, response: Reply): Promise<void>;
  /** The parser is detached; `head` are the bytes that came with it. */
  connect(connection: Connection, wire: WireHead, socket: Duplex, head: Buffer): Promise<void>;
  refused(connection: Connection, refusal: Refusal): void;
}

/**
 * node:http's strict parser for all sockets of the gateway, plain and terminated. It listens nowhere: sockets are
 * handed to it, each with the {@link Connection} that says whose it is.
 */
export class HttpFront implements Disposable {
  readonly #server: Server;
  readonly #handlers: FrontHandlers;
  readonly #limits: GatewayLimits;
  readonly #connections = new WeakMap<object, Connection>();

  constructor(handlers: FrontHandlers, limits: GatewayLimits) {
    this.#handlers = handlers;
    this.#limits = limits;
    this.#server = createServer({
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: limits.bodyTotalMs,
      keepAliveTimeout: limits.keepAliveIdleMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headTimeoutMs),
      // Our own checks answer a missing or doubled Host, with a body that says why.
      requireHostHeader: false,
      insecureHTTPParser: false,
      // Every other upgrade stays a plain request, which is answered as one.
      shouldUpgradeCallback: isWebSocket,
    });
    // Above a count node would hide headers from us without a word; the size limit and our own count are enough.
    this.#server.maxHeadersCount = 0;
    this.#server.maxRequestsPerSocket = limits.requestsPerConnectionMax;
    this.#server.on('request', (request, response) => this.#onRequest(request, response));
    this.#server.on('checkContinue', (request, response) => this.#onRequest(request, response));
    this.#server.on('checkExpectation', (request, response) => this.#onRequest(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#server.on('connect', (request, socket, head) => this.#onConnect(request, socket, head));
    this.#server.on('clientError', (error, socket) => this.#onParseError(error, socket));
    // The check of head and request deadlines starts with this event; without it a slow head waits for ever.
    this.#server.emit('listening');
  }

  attach(connection: Connection): void {
    this.#connections.set(connection.socket, connection);
    this.#server.emit('connection', connection.socket);
    connection.socket.resume();
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.pending >= this.#limits.pipelinedMax) {
      request.socket.destroy();
      return;
    }
    connection.inTurn(() => {
      connection.response = response;
      const incoming = { wire: wireOf(request), body: request, lingers: !request.complete, upgrade: null };
      return this.#handlers.request(connection, incoming, response);
    });
  }

  /** The parser is detached, so the connection serves this request and nothing after it, whatever the answer is. */
  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || !(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    connection.detached = true;
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    const end = (): void => void socket.end();
    response.once('finish', end);
    // The server's own listener went away with its parser; without it a large answer stops at the first full buffer.
    socket.on('drain', () => response.emit('drain'));
    const take = (): void => {
      response.off('finish', end);
      response.detachSocket(socket);
    };
    connection.inTurn(() => {
      connection.response = response;
      const upgrade = { socket, head, take };
      return this.#handlers.request(
        connection,
        { wire: wireOf(request), body: request, lingers: false, upgrade },
        response,
      );
    });
  }

  #onConnect(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    // node:http takes its error handler away with the parser; a reset would otherwise end the process.
    socket.on('error', () => socket.destroy());
    connection.detached = true;
    connection.inTurn(() => this.#handlers.connect(connection, wireOf(request), socket, head));
  }

  #onParseError(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    // Bytes behind the first error only say that the client is still sending.
    if (connection?.ended === true) return;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const refusal = refusalOf(code);
    // A reset is no message; and an answer that has begun cannot be followed by another one.
    if (connection === undefined || refusal === null || connection.response?.headersSent === true) {
      socket.destroy();
      return;
    }
    connection.ended = true;
    this.#handlers.refused(connection, refusal);
    answerRaw(socket, problemOf(refusal));
  }
}

/** RFC 6455 §4.1: GET, and this one token. */
function isWebSocket(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

function wireOf(request: IncomingMessage): WireHead {
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    version: request.httpVersion,
    rawHeaders: request.rawHeaders,
  };
}

const parserLimits: ReadonlyMap<string, readonly [RefusalCode, string]> = new Map([
  ['HPE_HEADER_OVERFLOW', ['head-too-large', 'The request head is over the limit.']],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['request-timeout', 'The request did not arrive in time.']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', ['body-too-large', 'The chunk extensions are over the limit.']],
] as const);

function refusalOf(code: string): Refusal | null {
  const limit = parserLimits.get(code);
  if (limit !== undefined) return refuse(limit[0], limit[1]);
  if (!code.startsWith('HPE_')) return null;
  // The code is llhttp's own word, never a byte of the client.
  return refuse('malformed-request', `The parser stopped: ${code}.`);
}
