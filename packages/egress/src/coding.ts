import { Transform, type TransformCallback } from 'node:stream';
import {
  type BrotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createZstdDecompress,
  type Gunzip,
  type ZstdDecompress,
} from 'node:zlib';
import { assertNever } from '@cordon/protocol';
import { egressError } from './error.ts';
import { limits } from './limits.ts';

/** Content codings that are read; `Accept-Encoding` is narrowed to them. */
export type Coding = 'identity' | 'gzip' | 'br' | 'zstd';

export const acceptedCodings = 'gzip, br, zstd, identity';

/** All values of `Content-Encoding`. Null: a coding that is not read, or more than one of them. */
export function parseCoding(values: readonly string[]): Coding | null {
  if (values.length === 0) return 'identity';
  if (values.length > 1) return null;
  const coding = (values[0] ?? '').trim().toLowerCase();
  switch (coding) {
    case '':
    case 'identity':
      return 'identity';
    case 'gzip':
    case 'x-gzip': // RFC 9110 §8.4.1.3: the same
      return 'gzip';
    case 'br':
      return 'br';
    case 'zstd':
      return 'zstd';
    default:
      return null;
  }
}

/** The whole body, decoded. @throws CordonError `coding-malformed`, `coding-too-large` */
export async function decodeBody(coding: Coding, body: Buffer, outputBytesMax: number): Promise<Buffer> {
  const decoder = createDecoder(coding, outputBytesMax);
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    decoder.on('data', (part: Buffer) => parts.push(part));
    decoder.on('error', reject);
    decoder.on('end', () => resolve(Buffer.concat(parts)));
    decoder.end(body);
  });
}

/**
 * Decodes as a stream; ends in an error when the output passes the cap, or the ratio once 64 KiB are out.
 * Bytes after the end of the coded stream are refused: another reader might find a second message in them.
 */
export function createDecoder(coding: Coding, outputBytesMax: number): Transform {
  const inner = innerDecoder(coding);
  return inner === null ? new Counter(outputBytesMax) : new BoundedDecoder(inner, outputBytesMax);
}

type Inner = Gunzip | BrotliDecompress | ZstdDecompress;

function innerDecoder(coding: Coding): Inner | null {
  const strict = { rejectGarbageAfterEnd: true };
  switch (coding) {
    case 'identity':
      return null;
    case 'gzip':
      return createGunzip(strict);
    case 'br':
      return createBrotliDecompress(strict);
    case 'zstd':
      // RFC 8878 §3.1.1.1.2: a window over 8 MiB is memory that the sender chooses for us.
      return createZstdDecompress({ ...strict, params: { [constants.ZSTD_d_windowLogMax]: 23 } });
    default:
      return assertNever(coding, 'coding');
  }
}

class Counter extends Transform {
  readonly #max: number;
  #out = 0;

  constructor(max: number) {
    super();
    this.#max = max;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#out += chunk.length;
    if (this.#out > this.#max) done(egressError('coding-too-large', 'the body is larger than its limit'));
    else done(null, chunk);
  }
}

class BoundedDecoder extends Transform {
  readonly #inner: Inner;
  readonly #max: number;
  #in = 0;
  #out = 0;
  #failed = false;
  #flush: TransformCallback | null = null;

  constructor(inner: Inner, max: number) {
    super();
    this.#inner = inner;
    this.#max = max;
    inner.on('data', (part: Buffer) => this.#emitPart(part));
    inner.on('error', (error) =>
      this.#fail(egressError('coding-malformed', 'the body is not what its coding says', error)),
    );
    inner.on('end', () => this.#flush?.());
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#in += chunk.length;
    if (this.#failed) return;
    this.#inner.write(chunk, () => {
      if (!this.#failed) done();
    });
  }

  override _flush(done: TransformCallback): void {
    this.#flush = done;
    // An empty body has no coding to end: clients send `Content-Encoding` with answers to HEAD and with 204.
    if (this.#in === 0) done();
    else this.#inner.end();
  }

  override _read(size: number): void {
    this.#inner.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }

  #emitPart(part: Buffer): void {
    this.#out += part.length;
    const byRatio = Math.max(limits.decodedFreeBytes, this.#in * limits.decodedRatioMax);
    if (this.#out > Math.min(this.#max, byRatio)) {
      this.#fail(egressError('coding-too-large', 'the decoded body is larger than its limit'));
    } else if (!this.push(part)) {
      this.#inner.pause();
    }
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.destroy(error);
  }
}
