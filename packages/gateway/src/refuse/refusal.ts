import { limits } from '../limits.ts';
import { quote } from './quote.ts';

/**
 * What the gateway refuses before there is an intent to decide about (the bytes had no single reading, or were too
 * many), and what it answers when an allowed effect could not be performed. Distinct from a decision's codes.
 */
const refusals = {
  'malformed-request': [400, 'The request is not valid HTTP/1.1'],
  'authority-mismatch': [400, 'The request names more than one host, or none'],
  'target-form': [400, 'The request target has a form that is not served here'],
  'target-not-canonical': [400, 'The request target has more than one reading'],
  'host-not-canonical': [400, 'The host is not in its one canonical form'],
  'header-not-ascii': [400, 'A header value holds bytes outside printable ASCII'],
  'header-reserved': [400, 'A header that only Cordon writes'],
  'override-header': [400, 'A header names another method or path than the request line'],
  'websocket-handshake': [400, 'The WebSocket handshake is not one of RFC 6455'],
  'websocket-version': [426, 'Only version 13 of WebSocket is served'],
  'transfer-encoding-on-1.0': [400, 'HTTP/1.0 has no Transfer-Encoding'],
  'body-not-allowed': [400, 'This method may not carry a body'],
  'body-unreadable': [400, 'The body cannot be read as its headers say'],
  'body-incomplete': [400, 'The body ended early'],
  'query-limit': [400, 'The query has too many pairs'],
  'stale-policy': [403, 'Cordon cannot decide at the moment, so the answer is no'],
  'name-unknown': [403, 'No grant speaks of this name'],
  'not-found': [404, 'Cordon has nothing at this address'],
  'method-not-allowed': [405, 'This method is not served'],
  'request-timeout': [408, 'The request took too long to arrive'],
  'body-too-large': [413, 'The body is over the limit, and is never inspected in part'],
  'body-expands': [413, 'The coded body expands beyond the limit'],
  'target-too-long': [414, 'The request target is over the limit'],
  'coding-unknown': [415, 'The content coding is not one that Cordon can read'],
  'expectation-unknown': [417, 'The expectation is not one that Cordon can meet'],
  'misdirected-request': [421, 'The request is not for the host of this connection'],
  'client-hello-encrypted': [421, 'The ClientHello hides the name by which a tunnel is judged'],
  'tls-client-refused': [421, 'The client did not accept the connection'],
  'too-many-denials': [429, 'Too many denied requests in this minute'],
  'too-many-requests': [429, 'Too many requests at once'],
  'too-many-connections': [429, 'Too many connections at once'],
  'too-many-tls-names': [429, 'Too many new TLS names at once'],
  'head-too-large': [431, 'The request head is over the limit'],
  'http2-protocol': [400, 'The connection broke the rules of HTTP/2'],
  'http2-abuse': [429, 'The connection sent too much of what asks for nothing'],
  'transfer-encoding': [501, 'Transfer-Encoding may only be chunked'],
  overloaded: [503, 'Cordon has no room for more at the moment'],
  'ledger-unavailable': [503, 'Nothing can be recorded, so nothing is done'],
  'memory-full': [503, 'Too many bodies are in memory at once'],
  'upgrade-unsupported': [501, 'This upgrade is not served'],
  'http-version': [505, 'Only HTTP/1.0 and HTTP/1.1 are served'],
  fault: [500, 'Cordon could not decide, so the answer is no'],
} as const satisfies Record<string, readonly [number, string]>;

export type RefusalCode = keyof typeof refusals;

export interface Refusal {
  readonly refused: true;
  readonly code: RefusalCode;
  readonly status: number;
  readonly title: string;
  /** In our words; whatever it quotes from the request was bounded and escaped. */
  readonly detail: string;
  readonly nextSteps: readonly string[];
  readonly retryAfterSeconds: number | null;
  /** Where it was about to go, where that is known and is no request yet. */
  readonly resource: string | null;
}

export function refuse(
  code: RefusalCode,
  detail: string,
  options: { nextSteps?: readonly string[]; retryAfterSeconds?: number; resource?: string } = {},
): Refusal {
  const [status, title] = refusals[code];
  return {
    refused: true,
    code,
    status,
    title,
    detail: quote(detail, limits.nextStepCharsMax),
    nextSteps: (options.nextSteps ?? []).map((step) => quote(step, limits.nextStepCharsMax)),
    retryAfterSeconds: options.retryAfterSeconds ?? null,
    resource: options.resource ?? null,
  };
}

export function isRefusal(value: object): value is Refusal {
  return 'refused' in value && value.refused === true;
}
