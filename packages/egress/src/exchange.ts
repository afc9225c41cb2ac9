import { type ClientRequest, type IncomingMessage, request as sendRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isCordonError } from '@cordon/protocol';
import { type EgressErrorCode, egressError } from './error.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';
import { type Pool, type PooledRequestArgs, poolName } from './pool.ts';

export type HeaderPairs = ReadonlyArray<readonly [name: string, value: string]>;

export interface OutgoingHead {
  readonly method: string;
  /** Origin-form, exactly as it goes on the wire. */
  readonly target: string;
  /** In order, in original letter case, without `Host` and without framing. */
  readonly headers: HeaderPairs;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly statusMessage: string;
  /** As they came, in order and letter case; hop-by-hop ones included. */
  readonly headers: HeaderPairs;
  readonly body: Readable;
  /** The address that answered; always one of the pin. */
  readonly address: string;
  /** Whether the socket had served a request before. */
  readonly reused: boolean;
  readonly attempts: 1 | 2;
}

/** Thrown inside only: a reused socket that died before it carried one byte of an answer. */
export class StaleSocket extends Error {}

/** Framing and authority are ours alone: what a caller could say about them could disagree with the pin or the body. */
const oursAlone: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'expect',
  'http2-settings',
]);

/** The head as raw name and value pairs, `Host` first (RFC 9112 §3.2), own framing last. @throws `request-framing` */
export function framedHeaders(head: OutgoingHead, pin: Pin, body: Buffer | null, keepAlive: boolean): string[] {
  const flat = checkedHeaders(head, pin);
  const bodyExpected = head.method === 'POST' || head.method === 'PUT' || head.method === 'PATCH';
  if (body !== null || bodyExpected) flat.push('Content-Length', String(body?.length ?? 0));
  flat.push('Connection', keepAlive ? 'keep-alive' : 'close');
  return flat;
}

/** The same without framing, for who adds what belongs to another kind of exchange. @throws `request-framing` */
export function checkedHeaders(head: OutgoingHead, pin: Pin): string[] {
  if (!/^[A-Z]{3,16}$/.test(head.method) || head.method === 'CONNECT' || head.method === 'TRACE') {
    throw egressError('request-framing', 'a method that is not forwarded');
  }
  // Visible ASCII only; `*` is OPTIONS' own form.
  if (!/^\/[\x21-\x7e]*$/.test(head.target) && !(head.method === 'OPTIONS' && head.target === '*')) {
    throw egressError('request-framing', 'a request target that is not in origin form');
  }
  const flat = ['Host', hostHeader(pin)];
  for (const [name, value] of head.headers) {
    const lower = name.toLowerCase();
    if (oursAlone.has(lower) || lower.startsWith('proxy-'))
      throw egressError('request-framing', `header ${lower} is not the caller's`);
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      throw egressError('request-framing', 'a header name that is no token');
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw egressError('request-framing', `header ${lower} holds a control character`);
    flat.push(name, value);
  }
  return flat;
}

/** The default port is left out, as every client does; some servers compare the text. */
function hostHeader(pin: Pin): string {
  const host = pin.host.includes(':') ? `[${pin.host}]` : pin.host;
  return pin.port === (pin.scheme === 'https' ? 443 : 80) ? host : `${host}:${pin.port}`;
}

export interface SendOptions {
  readonly pool: Pool;
  readonly keepAlive: boolean;
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly attempts: 1 | 2;
  /** Each ends the request, and the answer's body until its end. */
  readonly signals: readonly AbortSignal[];
}

/** One request on one socket of the pool; resolves when the answer's head is there and sound. */
export function send(head: OutgoingHead, pin: Pin, body: Buffer | null, options: SendOptions): Promise<UpstreamAnswer> {
  const headers = framedHeaders(head, pin, body, options.keepAlive);
  return converse<never>(head, pin, { ...options, headers, body, switched: switchedUnasked });
}

/** 101 to a request that asked for no upgrade: the server and we would disagree about every later byte. */
function switchedUnasked(): string {
  return 'switched protocols unasked';
}

interface Conversation<Switched> extends Omit<SendOptions, 'keepAlive'> {
  /** Names and values in turn, framing included. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /** What a 101 comes to; words say what is wrong with it. The socket is the caller's where it comes to something. */
  readonly switched: (answer: IncomingMessage, socket: Socket, first: Buffer) => Switched | string;
}

/** A request, and the head of its answer. @throws CordonError of EgressErrorCode, or a signal's reason */
export function converse<Switched>(
  { method, target }: OutgoingHead,
  pin: Pin,
  options: Conversation<Switched>,
): Promise<UpstreamAnswer | Switched> {
  const args: PooledRequestArgs = {
    agent: options.pool,
    method,
    path: target,
    headers: options.headers,
    maxHeaderSize: limits.answerHeaderBytesMax,
    insecureHTTPParser: false,
    pin,
    poolName: poolName(pin),
  };
  return new Promise((resolve, reject) => {
    const request = sendRequest(args);
    // The parser drops headers over its own count in silence; the size limit bounds them, and we count.
    request.maxHeadersCount = 0;
    let answered = false;
    const forget = (): void => {
      for (const signal of options.signals) signal.removeEventListener('abort', abort);
    };
    const give = (error: unknown): void => {
      clearTimeout(deadline);
      forget();
      reject(error as Error);
      request.destroy();
    };
    const breach = (words: string): void => give(egressError('upstream-protocol', `${pin.host} ${words}`));
    // The request's own `signal` works only once it has a socket; this one also ends the wait for it.
    const abort = (): void => {
      // Under an answer the socket goes, and the body ends in an error.
      if (answered) request.destroy();
      else give(abortReason(options.signals));
    };
    for (const signal of options.signals) signal.addEventListener('abort', abort);
    const deadline = setTimeout(() => {
      give(egressError('upstream-first-byte', `${pin.host} sent no answer in time`));
    }, options.firstByteTimeoutMs);
    let interim = 0;
    let bytesBefore = 0;
    request.on('socket', (socket) => {
      bytesBefore = socket.bytesRead;
    });
    request.on('error', (error) => {
      const received = (request.socket?.bytesRead ?? 0) - bytesBefore;
      give(abortReason(options.signals) ?? toFault(error, request, pin, received));
    });
    request.on('information', () => {
      interim += 1;
      if (interim > limits.interimAnswersMax) breach('sent too many interim answers');
    });
    request.on('upgrade', (answer, duplex, first) => {
      // The pool makes plain and TLS sockets only, and both are of this class.
      const socket = duplex as Socket;
      const switched = options.switched(answer, socket, first);
      if (typeof switched === 'string') {
        socket.destroy();
        breach(switched);
        return;
      }
      clearTimeout(deadline);
      forget();
      resolve(switched);
    });
    request.on('response', (answer) => {
      const problem = answerProblem(answer);
      if (problem !== null) {
        breach(problem);
        return;
      }
      clearTimeout(deadline);
      answered = true;
      answer.once('close', forget);
      watchBody(answer, options.idleTimeoutMs, pin);
      resolve(toAnswer(answer, request, options.attempts));
    });
    request.end(options.body ?? undefined);
  });
}

/**
 * What `node:http` lets through and we do not (gateway.md §2.3 of the design, for answers). Null: sound.
 * Repeated or signed lengths, and a length beside chunks, its parser refuses by itself.
 */
function answerProblem(answer: IncomingMessage): string | null {
  const pairs = toPairs(answer.rawHeaders);
  // The parser takes any three digits; below 200 nothing is final (RFC 9110 §15.2).
  if ((answer.statusCode ?? 0) < 200) return 'sent a status that is none';
  if (pairs.length > limits.answerHeadersMax) return 'sent too many headers';
  if (answer.httpVersion !== '1.1' && answer.httpVersion !== '1.0') return 'speaks an unknown version of HTTP';
  const codings = pairs.filter(([name]) => name.toLowerCase() === 'transfer-encoding');
  if (codings.length > 1 || codings.some(([, value]) => value.toLowerCase() !== 'chunked')) {
    return 'used a transfer coding other than chunked';
  }
  if (codings.length > 0 && answer.httpVersion === '1.0') return 'used a transfer coding in HTTP/1.0';
  return null;
}

/** A body that stalls is cut; one that was cut ends in an error, never as if it were whole. */
function watchBody(answer: IncomingMessage, idleTimeoutMs: number, pin: Pin): void {
  const { socket } = answer;
  const stalled = (): void => {
    answer.destroy(egressError('upstream-idle', `${pin.host} stopped sending`));
  };
  const closed = (): void => {
    if (!answer.complete) answer.destroy(egressError('upstream-aborted', `${pin.host} broke off its answer`));
  };
  socket.setTimeout(idleTimeoutMs);
  socket.on('timeout', stalled);
  // Before Node's own listener, which would report the same without a code of ours.
  socket.prependListener('close', closed);
  answer.once('close', () => {
    socket.off('timeout', stalled);
    socket.off('close', closed);
  });
}

function toAnswer(answer: IncomingMessage, request: ClientRequest, attempts: 1 | 2): UpstreamAnswer {
  return {
    status: answer.statusCode ?? 0,
    statusMessage: answer.statusMessage ?? '',
    headers: toPairs(answer.rawHeaders),
    body: answer,
    address: answer.socket.remoteAddress ?? '',
    reused: request.reusedSocket,
    attempts,
  };
}

export function toPairs(raw: readonly string[]): Array<readonly [string, string]> {
  const pairs: Array<readonly [string, string]> = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return pairs;
}

export function abortReason(signals: readonly AbortSignal[]): Error | undefined {
  return signals.find((signal) => signal.aborted)?.reason as Error | undefined;
}

/** A TLS alert is no answer: one record of 24 bytes (TLS 1.3) or 31 (1.2), less than any status line takes. */
const alertBytesMax = 31;

function toFault(error: Error, request: ClientRequest, pin: Pin, received: number): Error {
  if (isCordonError(error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  const dead = code === 'ECONNRESET' || code === 'EPIPE';
  const silent = received <= (pin.scheme === 'https' ? alertBytesMax : 0);
  if (dead && request.reusedSocket && silent) return new StaleSocket(code);
  const name: EgressErrorCode = code.startsWith('HPE_') ? 'upstream-protocol' : 'upstream-reset';
  const text = name === 'upstream-protocol' ? 'broke the rules of HTTP' : 'ended the connection before it answered';
  // The parser's error carries the packet, which may hold what we injected: it goes no further.
  return egressError(name, `${pin.host} ${text}`, name === 'upstream-protocol' ? undefined : error);
}
