import type { Duplex } from 'node:stream';
import { type Problem, problemType } from '@cordon/protocol';
import type { Pending } from '../hold/judge-held.ts';
import { limits } from '../limits.ts';
import type { Incoming, Reply } from '../listen/wire.ts';
import type { Refusal } from './refusal.ts';

export function problemOf(refusal: Refusal): Problem {
  return {
    type: problemType(refusal.code),
    title: refusal.title,
    status: refusal.status,
    detail: refusal.detail,
    code: refusal.code,
    next_steps: refusal.nextSteps,
  };
}

export interface AnswerOptions {
  /** The connection may hold bytes that nobody agreed about: it must not be used again. */
  readonly close: boolean;
  readonly retryAfterSeconds?: number | null;
  readonly headers?: ReadonlyArray<readonly [string, string]>;
  /** HEAD has headers only. */
  readonly method?: string;
}

/** One shape for every refusal: RFC 9457, pretty-printed because people read it with curl. */
export function answerProblem(response: Reply, problem: Problem, options: AnswerOptions): void {
  const body = Buffer.from(`${JSON.stringify(problem, null, 2)}\n`);
  const headers: Array<[string, string]> = [
    ['Content-Type', 'application/problem+json'],
    ['Content-Length', String(body.length)],
    ['Cache-Control', 'no-store'],
    ['Cordon-Code', problem.code],
    ...(options.headers ?? []).map(([name, value]): [string, string] => [name, value]),
  ];
  if (options.retryAfterSeconds != null) headers.push(['Retry-After', String(options.retryAfterSeconds)]);
  if (options.close) headers.push(['Connection', 'close']);
  response.sendDate = false;
  response.writeHead(problem.status, undefined, headers.flat());
  response.end(options.method === 'HEAD' ? undefined : body);
}

/** What waits for a person: 202 only for who asked for that (RFC 7240 §4.1), and where to look. */
export function answerPending(response: Reply, pending: Pending, options: AnswerOptions): void {
  const { hold, problem, retryAfterSeconds, respondAsync } = pending;
  const more: Array<[string, string]> = [['Cordon-Hold', hold]];
  if (respondAsync) {
    more.push(['Location', 'http://cordon.internal/denials'], ['Preference-Applied', 'respond-async']);
  }
  answerProblem(response, problem, { ...options, retryAfterSeconds, headers: more });
}

/** A page of `cordon.internal`. */
export function answerPage(response: Reply, text: string, method: string): void {
  const body = Buffer.from(text);
  const headers = [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ['Cache-Control', 'no-store'],
  ];
  response.sendDate = false;
  response.writeHead(200, undefined, headers.flat());
  response.end(method === 'HEAD' ? undefined : body);
}

/**
 * As {@link answerProblem}, while the client may still be sending: what comes is thrown away for a moment. A socket
 * that is closed with unread bytes resets, and the client would lose the answer that tells it why.
 */
export async function answerThenLinger(
  { body, lingers }: Incoming,
  response: Reply,
  problem: Problem,
  options: AnswerOptions,
): Promise<void> {
  if (lingers && !body.readableEnded) {
    body.resume();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, limits.lingerMs);
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
      body.once('end', done);
      body.once('close', done);
    });
  }
  if (!response.destroyed) answerProblem(response, problem, options);
}

/** For a connection whose bytes the parser gave up on: there is no response object, only the socket. */
export function answerRaw(socket: Duplex, problem: Problem): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${JSON.stringify(problem, null, 2)}\n`;
  const head = [
    `HTTP/1.1 ${problem.status} Refused`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), limits.lingerMs);
  socket.once('close', () => clearTimeout(timer));
}
