import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createDecoder, parseCoding, type UpstreamAnswer } from '@cordon/egress';
import { createScrubStream, type LeaseSet, Scrubber } from '@cordon/secrets';
import { GatewayError } from './error.ts';
import { relayedHeaders } from './http/headers.ts';
import { valuesOf } from './http/wire-head.ts';
import type { GatewayLimits } from './limits.ts';
import type { Reply } from './listen/wire.ts';

export interface Relayed {
  readonly digest: string;
  readonly scrubbed: readonly string[];
}

export interface RelayOptions {
  readonly answer: UpstreamAnswer;
  readonly response: Reply;
  readonly method: string;
  readonly lease: LeaseSet | null;
  readonly limits: GatewayLimits;
  /** Aborts when the agent has gone, or when the stream is cut (the reason says why). */
  readonly signal: AbortSignal;
  readonly firstByte: () => void;
  /** Each part of the answer's body as it came from upstream. */
  readonly received: (bytes: number) => void;
}

/**
 * Streams an answer in with backpressure, counted and hashed. Where a secret went out, head and body are searched for
 * it in every form, decoded first, and what is found becomes its placeholder.
 * @throws GatewayError `answer-too-large`, `answer-unreadable`, `slow-reader`, `stream-cut`, `client-gone`; CordonError `upstream-*`
 */
export async function relay(options: RelayOptions): Promise<Relayed> {
  const { answer, response, lease, limits } = options;
  const hasBody = options.method !== 'HEAD' && answer.status !== 204 && answer.status !== 304;
  const scrubber = lease === null ? null : new Scrubber(lease);
  try {
    // First, because an answer that cannot be searched must not begin.
    const inbound = scrubber === null || !hasBody ? answer.body : scrubbed(answer, scrubber, limits);
    writeHead(options, scrubber, hasBody);
    options.firstByte();
    const digest = hasBody ? await stream(answer.body, inbound, options) : await withoutBody(options);
    return { digest, scrubbed: scrubber === null ? [] : [...new Set(scrubber.hits.map((hit) => hit.secret))] };
  } finally {
    if (hasBody) answer.body.destroy();
    scrubber?.[Symbol.dispose]();
    response.off('error', ignore);
  }
}

function ignore(): void {
  // The response's `close` ends the relay; its error says nothing more.
}

function scrubbed(answer: UpstreamAnswer, scrubber: Scrubber, limits: GatewayLimits): Readable {
  const coding = parseCoding(valuesOf(answer.headers, 'content-encoding'));
  if (coding === null) {
    throw new GatewayError('answer-unreadable', 'an answer that may hold a secret came in an unknown coding');
  }
  const search = createScrubStream(scrubber);
  const forward = (error: Error): void => void search.destroy(error);
  if (coding === 'identity') {
    answer.body.on('error', forward);
    return answer.body.pipe(search);
  }
  const decoder = createDecoder(coding, limits.answerBytesMax);
  answer.body.on('error', forward);
  decoder.on('error', forward);
  return answer.body.pipe(decoder).pipe(search);
}

function writeHead(options: RelayOptions, scrubber: Scrubber | null, hasBody: boolean): void {
  const { answer, response } = options;
  const whole = scrubber === null;
  let headers = relayedHeaders(answer.headers, whole || !hasBody);
  if (scrubber !== null) {
    // A placeholder is no token, so a header that carries the value in its name cannot be mended, only left out.
    headers = headers
      .filter(([name]) => scrubber.text(name) === name)
      .map(([name, value]) => [name, scrubber.text(value)]);
    // Decoded for the search and sent on as plain bytes; a hit changes the length, so we frame anew.
    if (hasBody) headers = headers.filter(([name]) => name.toLowerCase() !== 'content-encoding');
  }
  response.sendDate = false;
  response.on('error', ignore);
  const message = scrubber === null ? answer.statusMessage : scrubber.text(answer.statusMessage);
  response.writeHead(answer.status, message, headers.flat());
}

/** HEAD, 204, 304: the head is all. What a server sends behind it is its own mistake and goes nowhere. */
function withoutBody({ answer, response, signal }: RelayOptions): Promise<string> {
  answer.body.on('error', ignore);
  answer.body.resume();
  const digest = `sha256:${createHash('sha256').digest('hex')}`;
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error);
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted);
    response.end(undefined, () => {
      signal.removeEventListener('abort', aborted);
      resolve(digest);
    });
  });
}

async function stream(source: Readable, inbound: Readable, options: RelayOptions): Promise<string> {
  const { response, limits, signal } = options;
  const hash = createHash('sha256');
  let bytesIn = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      let slow: ReturnType<typeof setTimeout> | null = null;
      let wrote = false;
      let waiting = 0;
      let settled = false;
      const settle = (end: () => void): void => {
        settled = true;
        if (slow !== null) clearTimeout(slow);
        signal.removeEventListener('abort', aborted);
        end();
      };
      const fail = (error: unknown): void => {
        settle(() => reject(error instanceof Error ? error : new GatewayError('stream-cut', 'the stream was cut')));
      };
      const aborted = (): void => fail(signal.reason);
      const waitForReader = (): void => {
        const before = response.writableLength;
        slow ??= setTimeout(() => {
          slow = null;
          // Slow is allowed, still is not.
          if (response.writableLength < before) waitForReader();
          else fail(new GatewayError('slow-reader', 'the agent read nothing for too long'));
        }, limits.slowReaderMs);
      };
      source.on('data', (chunk: Buffer) => {
        bytesIn += chunk.length;
        options.received(chunk.length);
        if (bytesIn > limits.answerBytesMax) {
          fail(new GatewayError('answer-too-large', `the answer is over ${limits.answerBytesMax} bytes`));
        }
      });
      inbound.on('data', (chunk: Buffer) => {
        // INVARIANT: the part that passes the cap is not relayed, else an answer cut at its last part would look whole.
        if (settled) return;
        hash.update(chunk);
        wrote = true;
        // The high water mark counts bytes, and a part of one byte takes hundreds while it waits.
        waiting = response.writableLength === 0 ? 1 : waiting + 1;
        const full = waiting >= limits.answerPiecesWaitingMax;
        if ((full ? response.write(chunk, goOn) : response.write(chunk)) && !full) return;
        inbound.pause();
        waitForReader();
      });
      const goOn = (): void => {
        if (slow !== null) clearTimeout(slow);
        slow = null;
        inbound.resume();
      };
      response.on('drain', goOn);
      source.on('error', fail);
      inbound.on('error', fail);
      // A body that just stops, without an error of its own, is half an answer all the same.
      inbound.on('close', () => {
        if (!inbound.readableEnded) fail(new GatewayError('answer-incomplete', 'the answer ended early'));
      });
      inbound.on('end', () => {
        if (settled) return;
        waitForReader();
        response.end(undefined, () => settle(resolve));
      });
      // It may have closed while nobody listened, and its end will not come twice.
      if (inbound.destroyed) fail(new GatewayError('answer-incomplete', 'the answer ended early'));
      if (signal.aborted) aborted();
      else signal.addEventListener('abort', aborted);
      // A stream of events may send its first byte much later than its head.
      setImmediate(() => {
        if (!wrote && !response.writableEnded && !response.destroyed) response.flushHeaders();
      });
    });
  } finally {
    inbound.destroy();
  }
  return `sha256:${hash.digest('hex')}`;
}
