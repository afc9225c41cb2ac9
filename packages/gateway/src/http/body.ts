import { hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Coding, decodeBody, parseCoding } from '@cordon/egress';
import { isCordonError } from '@cordon/protocol';
import { GatewayError } from '../error.ts';
import type { GatewayLimits } from '../limits.ts';
import { type Refusal, refuse } from '../refuse/refusal.ts';
import type { Holding } from '../session/held.ts';
import type { Framing } from './head.ts';
import { Pieces } from './pieces.ts';
import { type HeaderPairs, valuesOf } from './wire-head.ts';

/** A whole request body: the bytes that came, which are the bytes that go, and what they say once decoded. */
export interface Body {
  /** null: the message has no body at all, which is not the same as an empty one. */
  readonly bytes: Buffer | null;
  /** Decoded, for reading only. */
  readonly readable: Buffer;
  readonly sha256: string;
  readonly mediaType: string;
}

const nothing = Buffer.alloc(0);
export const digestOfNothing = hash('sha256', nothing);

/**
 * INVARIANT (I2): over the cap means refused, never truncated; a coding that cannot be read is refused too.
 * @throws GatewayError `client-gone`
 */
export async function readBody(
  request: Readable,
  framing: Framing,
  headers: HeaderPairs,
  limits: GatewayLimits,
  holding: Holding,
): Promise<Body | Refusal> {
  const mediaType = (valuesOf(headers, 'content-type')[0] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const coding = parseCoding(valuesOf(headers, 'content-encoding'));
  if (coding === null) {
    return refuse('coding-unknown', 'A request body may be coded once, with gzip, br or zstd.');
  }
  const bytes = framing.kind === 'none' ? null : await collect(request, limits, holding);
  if (bytes !== null && !Buffer.isBuffer(bytes)) return bytes;
  const readable = bytes === null ? nothing : await decode(coding, bytes, limits);
  if (!Buffer.isBuffer(readable)) return readable;
  if (readable !== bytes && !holding.take(readable.length)) return memoryFull();
  return { bytes, readable, sha256: bytes === null ? digestOfNothing : hash('sha256', bytes), mediaType };
}

function collect(request: Readable, limits: GatewayLimits, holding: Holding): Promise<Buffer | Refusal> {
  return new Promise((resolve, reject) => {
    const pieces = new Pieces();
    let bytes = 0;
    const finish = (result: Buffer | Refusal): void => {
      clearTimeout(idle);
      clearTimeout(total);
      request.off('data', onData);
      request.off('close', onClose);
      // What still comes is not read: the connection closes with the refusal.
      if (!Buffer.isBuffer(result)) request.pause();
      resolve(result);
    };
    const late = (): void => finish(refuse('request-timeout', 'The body stopped arriving.'));
    const idle = setTimeout(late, limits.bodyIdleMs);
    const total = setTimeout(late, limits.bodyTotalMs);
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > limits.bodyBytesMax) {
        finish(refuse('body-too-large', `A body may have ${limits.bodyBytesMax} bytes.`));
        return;
      }
      if (!holding.take(chunk.length)) {
        finish(memoryFull());
        return;
      }
      pieces.add(chunk);
      // Each costs a turn of everybody's loop, however little it brings.
      if (pieces.count > limits.bodyPiecesMax) {
        finish(refuse('body-too-large', `A body may arrive in ${limits.bodyPiecesMax} pieces.`));
        return;
      }
      idle.refresh();
    };
    const onClose = (): void => {
      clearTimeout(idle);
      clearTimeout(total);
      reject(new GatewayError('client-gone', 'the client went away while its body was read'));
    };
    if (request.destroyed && !request.readableEnded) return onClose();
    request.on('data', onData);
    request.on('end', () => finish(pieces.whole()));
    request.on('close', onClose);
    request.on('error', () => request.destroy());
  });
}

function memoryFull(): Refusal {
  return refuse('memory-full', 'Too many bodies are under way; send fewer at once.', { retryAfterSeconds: 1 });
}

async function decode(coding: Coding, bytes: Buffer, limits: GatewayLimits): Promise<Buffer | Refusal> {
  if (coding === 'identity' || bytes.length === 0) return bytes;
  try {
    return await decodeBody(coding, bytes, limits.bodyBytesMax);
  } catch (error: unknown) {
    const tooLarge = isCordonError(error) && error.code === 'coding-too-large';
    return tooLarge
      ? refuse('body-expands', `Decoded, a body may have ${limits.bodyBytesMax} bytes and 100 times its coded size.`)
      : refuse('body-unreadable', 'The body is not what its Content-Encoding says.');
  }
}
