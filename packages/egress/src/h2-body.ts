import { type ClientHttp2Stream, constants } from 'node:http2';
import { Readable } from 'node:stream';
import { isCordonError } from '@cordon/protocol';
import { egressError } from './error.ts';

/**
 * The body of an answer over HTTP/2. INVARIANT: it ends only where the server has ended it. Node ends the stream's
 * readable side also when the connection breaks or the stream is reset, and half an answer must not look like a whole one.
 */
export class H2Body extends Readable {
  readonly #stream: ClientHttp2Stream;
  readonly #host: string;
  /** Somebody reads, so somebody hears of an error; one that comes earlier waits. */
  #read = false;
  #fault: Error | null = null;

  constructor(stream: ClientHttp2Stream, finished: () => boolean, host: string) {
    // Nothing is read ahead, so `_read` means that there is a reader.
    super({ highWaterMark: 0 });
    this.#stream = stream;
    this.#host = host;
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.on('end', () => {
      if (finished()) this.push(null);
      else this.#broken(undefined);
    });
    stream.on('error', (error) => this.#broken(error));
    stream.on('close', () => {
      if (!stream.readableEnded) this.#broken(undefined);
    });
  }

  override _read(): void {
    this.#read = true;
    if (this.#fault !== null) this.destroy(this.#fault);
    else this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    done(error);
  }

  #broken(error: unknown): void {
    const fault = egressError('upstream-aborted', `${this.#host} broke off its answer`);
    this.#fault ??= isCordonError(error) ? error : fault;
    if (this.#read) this.destroy(this.#fault);
  }
}
