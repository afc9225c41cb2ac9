import { type ClientHttp2Stream, constants } from 'node:http2';
import { isCordonError } from '@cordon/protocol';
import { egressError } from './error.ts';
import {
  abortReason,
  checkedHeaders,
  type OutgoingHead,
  type SendOptions,
  StaleSocket,
  toPairs,
  type UpstreamAnswer,
} from './exchange.ts';
import { H2Body } from './h2-body.ts';
import type { H2Upstream } from './h2-upstream.ts';
import { limits } from './limits.ts';
import type { Pin } from './pin.ts';

/** The server wants this request over HTTP/1.1; it has not acted on it. Thrown inside only. */
export class WantsHttp1 extends StaleSocket {}

/** One request as a stream of an open connection; resolves when the answer's head is there and sound. */
export function sendH2(
  upstream: H2Upstream,
  head: OutgoingHead,
  pin: Pin,
  body: Buffer | null,
  options: Omit<SendOptions, 'pool' | 'keepAlive'>,
): Promise<UpstreamAnswer> {
  const fields = framedFields(head, pin, body);
  const reused = upstream.served > 0;
  const bytesBefore = upstream.bytesRead;
  return new Promise((resolve, reject) => {
    const stream = upstream.request(fields, body);
    let answered = false;
    const forget = (): void => {
      for (const signal of options.signals) signal.removeEventListener('abort', abort);
    };
    const give = (error: Error): void => {
      clearTimeout(deadline);
      forget();
      reject(error);
      stream.close(constants.NGHTTP2_CANCEL);
    };
    const abort = (): void => {
      const reason = abortReason(options.signals);
      if (answered) stream.destroy(reason ?? egressError('upstream-reset', 'the request was given up'));
      else give(reason ?? egressError('upstream-reset', 'the request was given up'));
    };
    for (const signal of options.signals) signal.addEventListener('abort', abort);
    const deadline = setTimeout(() => {
      give(egressError('upstream-first-byte', `${pin.host} sent no answer in time`));
    }, options.firstByteTimeoutMs);
    let interim = 0;
    stream.on('headers', () => {
      interim += 1;
      if (interim > limits.interimAnswersMax)
        give(egressError('upstream-protocol', `${pin.host} sent too many interim answers`));
    });
    stream.on('error', (error: Error) => {
      if (!answered) give(abortReason(options.signals) ?? toFault(error, stream, upstream, pin));
    });
    stream.once('close', () => {
      if (answered) {
        forget();
        return;
      }
      const silent = reused && upstream.bytesRead === bytesBefore;
      give(abortReason(options.signals) ?? (silent ? new StaleSocket('closed') : toFault(null, stream, upstream, pin)));
    });
    stream.once('response', (_headers, _flags, raw: readonly string[]) => {
      const pairs = toPairs(raw);
      const headers = pairs.filter(([name]) => !name.startsWith(':'));
      const status = Number(pairs.find(([name]) => name === ':status')?.[1]);
      const problem = answerProblem(status, headers);
      if (problem !== null) {
        give(egressError('upstream-protocol', `${pin.host} ${problem}`));
        return;
      }
      clearTimeout(deadline);
      answered = true;
      const answerBody = new H2Body(stream, () => upstream.finished(stream), pin.host);
      stream.setTimeout(options.idleTimeoutMs, () => {
        answerBody.destroy(egressError('upstream-idle', `${pin.host} stopped sending`));
      });
      const { attempts } = options;
      resolve({ status, statusMessage: '', headers, body: answerBody, address: upstream.address, reused, attempts });
    });
  });
}

/** Pseudo-headers first (RFC 9113 §8.3), names in lower case; authority and length are ours alone. @throws `request-framing` */
export function framedFields(head: OutgoingHead, pin: Pin, body: Buffer | null): string[] {
  const [, authority = '', ...rest] = checkedHeaders(head, pin);
  const fields = [':method', head.method, ':scheme', 'https', ':authority', authority, ':path', head.target];
  for (let i = 0; i + 1 < rest.length; i += 2) fields.push((rest[i] ?? '').toLowerCase(), rest[i + 1] ?? '');
  const bodyExpected = head.method === 'POST' || head.method === 'PUT' || head.method === 'PATCH';
  if (body !== null || bodyExpected) fields.push('content-length', String(body?.length ?? 0));
  return fields;
}

/** nghttp2 asks for more than this, but not for our limits until the server has acknowledged them. Null: sound. */
function answerProblem(status: number, headers: ReadonlyArray<readonly [string, string]>): string | null {
  if (!(status >= 200 && status <= 599)) return 'sent a status that is none';
  if (headers.length > limits.answerHeadersMax) return 'sent too many headers';
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  return bytes > limits.answerHeaderBytesMax ? 'sent a head over the limit' : null;
}

function toFault(error: Error | null, stream: ClientHttp2Stream, upstream: H2Upstream, pin: Pin): Error {
  if (error !== null && isCordonError(error)) return error;
  // nghttp2's own: the connection broke the rules. What the server says with RST_STREAM has another code.
  if (error !== null && 'code' in error && error.code === 'ERR_HTTP2_ERROR') return brokenRules(pin);
  switch (stream.rstCode) {
    case constants.NGHTTP2_REFUSED_STREAM:
      // RFC 9113 §8.7: nothing of the request was processed.
      return new StaleSocket('refused');
    case constants.NGHTTP2_HTTP_1_1_REQUIRED:
      return new WantsHttp1('HTTP/1.1 required');
    case undefined:
    case constants.NGHTTP2_NO_ERROR:
    case constants.NGHTTP2_CANCEL:
    case constants.NGHTTP2_INTERNAL_ERROR:
      return ended(pin);
    default:
      // The same codes stand for what nghttp2 found wrong and for what a server, with reasons of its own, says.
      return upstream.wasReset(stream) ? ended(pin) : brokenRules(pin);
  }
}

function ended(pin: Pin): Error {
  return egressError('upstream-reset', `${pin.host} ended the stream before it answered`);
}

function brokenRules(pin: Pin): Error {
  return egressError('upstream-protocol', `${pin.host} broke the rules of HTTP/2`);
}
