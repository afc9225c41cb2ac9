import { Duplex } from 'node:stream';
import type { Clock } from '@cordon/protocol';
import type { FrameAbuse, FrameMeter } from './h2-frames.ts';

/**
 * The connection under an HTTP/2 session, with the frames of the peer counted before nghttp2 sees them. It owns the
 * connection: each ends with the other.
 */
export class MeteredSocket extends Duplex {
  readonly #inner: Duplex;
  readonly #meter: FrameMeter;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #read: (abuse: FrameAbuse | null) => void;
  readonly #over: (tell: () => void) => void;
  #ended = false;

  /**
   * `read` is told after every chunk; a chunk that went too far is not passed on, and nothing after it. `over`: the peer
   * will say no more; `tell` lets the session know, which then gives up all of its streams.
   */
  constructor(
    inner: Duplex,
    meter: FrameMeter,
    clock: Pick<Clock, 'monotonic'>,
    read: (abuse: FrameAbuse | null) => void,
    over: (tell: () => void) => void = (tell) => tell(),
  ) {
    super({ allowHalfOpen: true, decodeStrings: true });
    this.#inner = inner;
    this.#meter = meter;
    this.#clock = clock;
    this.#read = read;
    this.#over = over;
    inner.on('data', (chunk: Buffer) => this.#take(chunk));
    inner.on('end', () => this.#end());
    // A connection that breaks is no protocol error; the session learns from the end that it is over.
    inner.on('error', () => inner.destroy());
    inner.on('close', () => this.#over(() => this.destroy()));
  }

  #take(chunk: Buffer): void {
    if (this.#ended) return;
    const abuse = this.#meter.read(chunk, this.#clock.monotonic());
    if (abuse !== null) this.#ended = true;
    else if (!this.push(chunk)) this.#inner.pause();
    this.#read(abuse);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over(() => this.push(null));
  }

  override _read(): void {
    this.#inner.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#inner.write(chunk)) done();
    else this.#inner.once('drain', done);
  }

  override _writev(
    chunks: Array<{ chunk: Buffer; encoding: BufferEncoding }>,
    done: (error?: Error | null) => void,
  ): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'utf8', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#inner.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#ended = true;
    this.#inner.destroy();
    done(error);
  }
}
